import CoreGraphics
import VerifaceUniffi
import Vision

extension Landmarks {
    /// The five points of a face that Vision found (`VNDetectFaceLandmarksRequest`); nil when one of its regions is missing.
    ///
    /// Vision's points are in pixels from the lower left corner; ours are in pixels from the centre of the upper left pixel. Its documentation
    /// does not say whose left "left" is, so what lies further left in the picture is taken for the left: for an upright face that is so.
    ///
    /// - Parameters:
    ///   - size: the upright picture's, in pixels: that of the buffer with the orientation that Vision was given.
    public init?(vision face: VNFaceObservation, size: CGSize) {
        guard let found = face.landmarks, let one = found.leftEye, let other = found.rightEye, let crest = found.noseCrest,
              let lips = found.outerLips
        else { return nil }
        func points(_ region: VNFaceLandmarkRegion2D) -> [CGPoint] {
            region.pointsInImage(imageSize: size).map { CGPoint(x: $0.x - 0.5, y: size.height - $0.y - 0.5) }
        }
        func middle(_ region: VNFaceLandmarkRegion2D) -> CGPoint {
            let all = points(region)
            let count = CGFloat(max(all.count, 1))
            return CGPoint(x: all.map(\.x).reduce(0, +) / count, y: all.map(\.y).reduce(0, +) / count)
        }
        let eyes = [middle(one), middle(other)].sorted { $0.x < $1.x }
        let mouth = points(lips).sorted { $0.x < $1.x }
        guard let tip = points(crest).max(by: { $0.y < $1.y }), let left = mouth.first, let right = mouth.last else { return nil }
        func point(_ at: CGPoint) -> Point { Point(x: Float(at.x), y: Float(at.y)) }
        self.init(
            eyeLeft: point(eyes[0]), eyeRight: point(eyes[1]), nose: point(tip), mouthLeft: point(left), mouthRight: point(right)
        )
    }
}
