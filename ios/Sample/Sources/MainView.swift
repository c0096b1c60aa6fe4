import AVFoundation
import SwiftUI

/// Enrol once, verify often, and time it: all that the library does, on one screen.
struct MainView: View {
    @StateObject private var person = Person()

    var body: some View {
        VStack {
            Preview(session: person.camera.session).ignoresSafeArea(edges: .top)
            Text(person.words).font(.title3).multilineTextAlignment(.center).frame(minHeight: 90).textSelection(.enabled)
            HStack {
                Button("Enrol") { person.begin(.enrol) }
                Button("Verify") { person.begin(.verify) }
                Button("Time") { Task { await person.time() } }
            }
            .buttonStyle(.borderedProminent)
            .padding(.bottom)
        }
        .task { await person.start() }
    }
}

/// What the camera sees. iOS mirrors the front camera's preview by itself.
private struct Preview: UIViewRepresentable {
    let session: AVCaptureSession

    func makeUIView(context: Context) -> PreviewView {
        let view = PreviewView()
        view.layer.masksToBounds = true
        (view.layer as? AVCaptureVideoPreviewLayer)?.session = session
        (view.layer as? AVCaptureVideoPreviewLayer)?.videoGravity = .resizeAspectFill
        return view
    }

    func updateUIView(_ view: PreviewView, context: Context) {}

    final class PreviewView: UIView {
        override class var layerClass: AnyClass { AVCaptureVideoPreviewLayer.self }
    }
}
