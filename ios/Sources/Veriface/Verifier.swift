import Foundation
@_exported import VerifaceUniffi

/// Answers whether two pictures show the same person, without blocking the caller: `VerifaceUniffi.Verifier` for async code.
///
/// Make one and share it. Calls compute on a queue of their own, one thread each, as many at once as there are processors.
public final class FaceVerifier: Sendable {
    private let inner: Verifier
    private static let queue = DispatchQueue(label: "io.github.veriface", qos: .userInitiated, attributes: .concurrent)

    private init(_ inner: Verifier) {
        self.inner = inner
    }

    /// Loads a pack, the built-in one unless the settings name another, and checks that this device computes what it states.
    public static func load(_ settings: Settings = Settings()) async throws -> FaceVerifier {
        try await computing { FaceVerifier(try Verifier(settings: settings)) }
    }

    /// Decides whether two pictures show the same person.
    public func verify(_ reference: Picture, _ probe: Picture) async throws -> Decision {
        try await Self.computing { try self.inner.verify(reference: reference, probe: probe) }
    }

    /// Decides whether a picture shows the person of a template.
    public func verify(_ reference: Template, _ probe: Picture) async throws -> Decision {
        try await Self.computing { try self.inner.verifyTemplate(reference: reference, probe: probe) }
    }

    /// Makes a template of one person's pictures.
    public func enrol(_ pictures: [Picture]) async throws -> Enrolment {
        try await Self.computing { try self.inner.enrol(pictures: pictures) }
    }

    /// The faces of a picture, the surest first.
    public func detect(_ picture: Picture) async throws -> [Face] {
        try await Self.computing { try self.inner.detect(picture: picture) }
    }

    /// A session for one person before a camera.
    public func session(_ purpose: Purpose) throws -> CameraSession {
        CameraSession(try Session(verifier: inner, purpose: purpose))
    }

    /// Times every stage in this process on a picture file's bytes: the cases of `veriface bench`, in its JSON. For the cold start to be one, call
    /// this before anything else of the library.
    ///
    /// - Parameters:
    ///   - device: the device's name, as a reader of a table knows it.
    public static func latency(
        of picture: Data, device: String, runs: Int32 = 50, settings: Settings = Settings()
    ) async throws -> String {
        try await computing { try VerifaceUniffi.latency(settings: settings, picture: picture, runs: runs, device: device) }
    }

    private static func computing<T>(_ work: @escaping () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result(catching: work)) }
        }
    }
}
