import CoreMedia
import CoreVideo
import Foundation
import ImageIO
import VerifaceUniffi

/// One person before a camera. Feed it the buffers of an `AVCaptureVideoDataOutput` on that output's queue until `ready`.
public final class CameraSession {
    private let inner: Session

    init(_ inner: Session) {
        self.inner = inner
    }

    /// Takes the next frame: BGRA, 420f or 420v, read where it lies.
    ///
    /// - Parameters:
    ///   - orientation: how the buffer has to be turned to be upright; `.up` where the capture connection already turns it.
    ///   - landmarks: the face's points, where another detector has found them; then nothing is detected.
    public func frame(
        _ sample: CMSampleBuffer, orientation: CGImagePropertyOrientation = .up, landmarks: Landmarks? = nil
    ) throws -> Progress? {
        guard let buffer = CMSampleBufferGetImageBuffer(sample) else { return nil }
        let seconds = CMSampleBufferGetPresentationTimeStamp(sample).seconds
        return try frame(buffer, orientation: orientation, seconds: seconds, landmarks: landmarks)
    }

    /// The same for a pixel buffer and its time since any fixed moment.
    public func frame(
        _ buffer: CVPixelBuffer, orientation: CGImagePropertyOrientation, seconds: TimeInterval, landmarks: Landmarks? = nil
    ) throws -> Progress {
        let milliseconds = UInt64(max(0, seconds) * 1000)
        return try buffer.withPlanes(orientation: orientation, landmarks: landmarks) { layout, first, second in
            try inner.frame(layout: layout, first: first, second: second, third: Data(), milliseconds: milliseconds)
        }
    }

    /// Decides whether the person followed is that of the template, by the best frames. Once, when ready.
    public func decide(_ reference: Template) throws -> Decision {
        try inner.decide(reference: reference)
    }

    /// A template of the best frames.
    public func enrol() throws -> Enrolment {
        try inner.enrol()
    }

    /// Forgets the person, for the next one.
    public func reset() {
        inner.reset()
    }
}

extension Picture {
    /// A copy of a pixel buffer: BGRA, 420f or 420v.
    public static func of(_ buffer: CVPixelBuffer, orientation: CGImagePropertyOrientation = .up) throws -> Picture {
        try buffer.withPlanes(orientation: orientation, landmarks: nil) { layout, first, second in
            try Picture.pixels(layout: layout, first: first, second: second, third: Data())
        }
    }
}

/// A pixel buffer in a format that is not read.
public struct UnsupportedPixelBuffer: Error {
    /// Its `kCVPixelFormatType_…`.
    public let format: OSType
}

extension CVPixelBuffer {
    /// The layout and the planes' memory, which is valid for the call only.
    func withPlanes<T>(
        orientation: CGImagePropertyOrientation, landmarks: Landmarks?, _ body: (FrameLayout, Data, Data) throws -> T
    ) throws -> T {
        let format = CVPixelBufferGetPixelFormatType(self)
        CVPixelBufferLockBaseAddress(self, .readOnly)
        defer { CVPixelBufferUnlockBaseAddress(self, .readOnly) }
        let (rotation, mirrored) = orientation.toUpright
        let width = UInt32(CVPixelBufferGetWidth(self)), height = UInt32(CVPixelBufferGetHeight(self))

        switch format {
        case kCVPixelFormatType_32BGRA:
            let stride = CVPixelBufferGetBytesPerRow(self)
            let layout = FrameLayout(
                format: .bgra8, width: width, height: height, rowStrides: [UInt64(stride)], rotation: rotation, mirrored: mirrored,
                landmarks: landmarks
            )
            return try body(layout, Self.view(CVPixelBufferGetBaseAddress(self), stride * Int(height)), Data())
        case kCVPixelFormatType_420YpCbCr8BiPlanarFullRange, kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange:
            let strides = (0...1).map { CVPixelBufferGetBytesPerRowOfPlane(self, $0) }
            let planes = (0...1).map {
                Self.view(CVPixelBufferGetBaseAddressOfPlane(self, $0), strides[$0] * CVPixelBufferGetHeightOfPlane(self, $0))
            }
            let full = format == kCVPixelFormatType_420YpCbCr8BiPlanarFullRange
            let layout = FrameLayout(
                format: .nv12, width: width, height: height, rowStrides: strides.map { UInt64($0) }, rotation: rotation,
                mirrored: mirrored, matrix: matrix, range: full ? .full : .video, landmarks: landmarks
            )
            return try body(layout, planes[0], planes[1])
        default:
            throw UnsupportedPixelBuffer(format: format)
        }
    }

    /// The buffer's own word on its luma weights.
    private var matrix: YuvMatrix {
        // The copying form needs iOS 15.
        let attachment = CVBufferGetAttachment(self, kCVImageBufferYCbCrMatrixKey, nil)?.takeUnretainedValue() as? String
        return attachment == kCVImageBufferYCbCrMatrix_ITU_R_709_2 as String ? .bt709 : .bt601
    }

    private static func view(_ address: UnsafeMutableRawPointer?, _ count: Int) -> Data {
        guard let address else { return Data() }
        return Data(bytesNoCopy: address, count: count, deallocator: .none)
    }
}

extension CGImagePropertyOrientation {
    /// Degrees clockwise to upright, and whether the turned picture is a mirror image: EXIF 2.32, tag 0x0112.
    var toUpright: (Int32, Bool) {
        switch self {
        case .up: return (0, false)
        case .upMirrored: return (0, true)
        case .down: return (180, false)
        case .downMirrored: return (180, true)
        case .leftMirrored: return (90, true)
        case .right: return (90, false)
        case .rightMirrored: return (270, true)
        case .left: return (270, false)
        @unknown default: return (0, false)
        }
    }
}
