import CoreVideo
import Veriface
import XCTest

/// The same cases as in Rust, Kotlin, Python and C. `Portraits` is a copy of `tests/fixtures`, made by `ios/build-xcframework.sh`.
final class VerifaceTests: XCTestCase {
    private func portrait(_ name: String) throws -> Picture {
        let url = Bundle.module.url(forResource: "Portraits/\(name)", withExtension: "jpg")!
        return try Picture.open(path: url.path)
    }

    func testTheSameManMatchesAndOthersDoNot() async throws {
        let verifier = try await FaceVerifier.load()
        let smiling = try portrait("obama-smiling")
        let same = try await verifier.verify(smiling, portrait("obama-standing"))
        XCTAssertTrue(same.same)
        XCTAssertEqual(same.liveness, .notAssessed)
        let other = try await verifier.verify(smiling, portrait("biden"))
        XCTAssertFalse(other.same)
    }

    func testATemplateOutlivesItsBytes() async throws {
        let verifier = try await FaceVerifier.load()
        let template = try await verifier.enrol([portrait("obama-smiling")]).template
        let again = try Template.fromBytes(bytes: template.toBytes())
        XCTAssertEqual(again.toBytes(), template.toBytes())
        let decision = try await verifier.verify(again, portrait("obama-standing"))
        XCTAssertTrue(decision.same)
    }

    /// The command `veriface enrol` wrote the file: the same embedding to the bit from Rust and from here.
    func testATemplateIsRustsToTheBit() async throws {
        let url = Bundle.module.url(forResource: "Portraits/obama", withExtension: "vftemplate")!
        let template = try await FaceVerifier.load().enrol([portrait("obama-smiling")]).template
        XCTAssertEqual(template.toBytes(), try Data(contentsOf: url))
    }

    /// Points of another detector: for want of one, ours stands for it. In another order they are refused.
    func testAFaceAtGivenPointsIsTheFaceFoundThere() async throws {
        let verifier = try await FaceVerifier.load()
        let smiling = try portrait("obama-smiling")
        let points = try await verifier.detect(smiling)[0].landmarks
        let found = try await verifier.enrol([smiling]).template
        let given = try await verifier.enrol([smiling.at(landmarks: points)]).template
        XCTAssertEqual(given.toBytes(), found.toBytes())
        let mirrored = Landmarks(
            eyeLeft: points.eyeRight, eyeRight: points.eyeLeft, nose: points.nose, mouthLeft: points.mouthRight,
            mouthRight: points.mouthLeft
        )
        XCTAssertThrowsError(try smiling.at(landmarks: mirrored)) { error in
            guard case let VerifaceError.Failed(number, _, _, _) = error else { return XCTFail("\(error)") }
            XCTAssertEqual(number.rawValue, 304)
        }
    }

    /// BGRA, as `AVCaptureVideoDataOutput` delivers it: a grey buffer has nobody in it, and a session says so.
    func testASessionGuides() async throws {
        var buffer: CVPixelBuffer?
        CVPixelBufferCreate(nil, 64, 48, kCVPixelFormatType_32BGRA, nil, &buffer)
        let session = try await FaceVerifier.load().session(.verify)
        let progress = try session.frame(XCTUnwrap(buffer), orientation: .up, seconds: 0)
        XCTAssertEqual(progress.guidance, .noFace)
        XCTAssertFalse(progress.ready)
    }

    func testTheReportIsTheCommands() async throws {
        let url = Bundle.module.url(forResource: "Portraits/collins", withExtension: "jpg")!
        let text = try await FaceVerifier.latency(of: Data(contentsOf: url), device: "here", runs: 3)
        let report = try XCTUnwrap(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        let stages = try XCTUnwrap(report["stages"] as? [[String: Any]]).map { $0["stage"] as? String }
        XCTAssertEqual(stages, ["decode", "detect", "align", "quality", "embed", "compare", "extract"])
        XCTAssertEqual(report["device"] as? String, "here")
    }

    func testErrorsHaveTheirNumber() throws {
        XCTAssertThrowsError(try Picture.open(path: "/no/such.jpg")) { error in
            guard case let VerifaceError.Failed(number, _, _, _) = error else { return XCTFail("\(error)") }
            XCTAssertEqual(number, .cannotRead)
            XCTAssertEqual(number.rawValue, 802)
        }
    }
}
