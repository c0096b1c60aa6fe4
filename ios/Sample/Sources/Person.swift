import Foundation
import UIKit
import Veriface

/// The one person of this sample: what is going on, in words to show.
@MainActor
final class Person: ObservableObject {
    @Published var words = "Loading …"
    let camera = Camera()

    private let name = "me"
    private var verifier: FaceVerifier?
    private var session: CameraSession?

    func start() async {
        if ProcessInfo.processInfo.arguments.contains("--latency") { return await time() }
        do {
            verifier = try await FaceVerifier.load()
            words = await camera.start() ? "Ready." : "Without the camera there is nothing to see."
        } catch {
            words = "\(error)"
        }
    }

    func begin(_ purpose: Purpose) {
        guard let verifier else { return }
        do {
            let session = try verifier.session(purpose)
            self.session = session
            camera.deliver(to: { [weak self] sample in
                let outcome = Result { try session.frame(sample) }
                Task { @MainActor in self?.take(outcome, of: session, purpose) }
            })
        } catch {
            words = "\(error)"
        }
    }

    private func take(_ outcome: Result<Progress?, Error>, of session: CameraSession, _ purpose: Purpose) {
        // Frames that were under way when another session began, or this one ended.
        guard self.session === session else { return }
        switch outcome {
        case .success(.none):
            break
        case let .success(.some(progress)) where !progress.ready:
            words = guidanceSentence(guidance: progress.guidance)
        case .success:
            end()
            words = (try? finish(session, purpose)) ?? "Enrol first."
        case let .failure(error):
            words = "\(error)"
        }
    }

    private func finish(_ session: CameraSession, _ purpose: Purpose) throws -> String? {
        let templates = try SealedTemplates()
        switch purpose {
        case .enrol:
            let template = try session.enrol().template
            try templates.save(template, as: name)
            return "Enrolled from \(template.samples()) frames."
        case .verify:
            return try templates.load(name).map { try session.decide($0).sentence }
        }
    }

    private func end() {
        camera.deliver(to: nil)
        session = nil
    }

    /// The cases of `veriface bench`, in its JSON: on the screen, in the log, and in the app's documents as `latency.json`. For a cold start, begin
    /// the app with `--latency`: then nothing of the library has run before.
    func time() async {
        words = "Timing …"
        do {
            guard let url = Bundle.main.url(forResource: "collins", withExtension: "jpg") else { throw CocoaError(.fileNoSuchFile) }
            let device = "\(model), iOS \(UIDevice.current.systemVersion)"
            let report = try await FaceVerifier.latency(of: Data(contentsOf: url), device: device)
            let documents = try FileManager.default.url(for: .documentDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
            try Data(report.utf8).write(to: documents.appendingPathComponent("latency.json"), options: .atomic)
            print("veriface-bench \(report)")
            words = report
        } catch {
            words = "\(error)"
        }
    }

    /// The hardware's identifier, such as `iPhone15,2`.
    private var model: String {
        var system = utsname()
        uname(&system)
        return withUnsafeBytes(of: &system.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
