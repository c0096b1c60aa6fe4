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

    func testErrorsHaveTheirNumber() throws {
        XCTAssertThrowsError(try Picture.open(path: "/no/such.jpg")) { error in
            guard case let VerifaceError.Failed(number, _, _, _) = error else { return XCTFail("\(error)") }
            XCTAssertEqual(number, .cannotRead)
            XCTAssertEqual(number.rawValue, 802)
        }
    }
}
