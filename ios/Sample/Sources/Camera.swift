import AVFoundation

/// The front camera, upright, in BGRA. Frames come on a queue of their own, and late ones are dropped.
final class Camera: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate {
    let session = AVCaptureSession()
    /// Used on the queue alone.
    private var onFrame: ((CMSampleBuffer) -> Void)?
    private let queue = DispatchQueue(label: "io.github.veriface.sample.camera")

    /// Asks for permission and begins; false where it is refused or there is no camera.
    func start() async -> Bool {
        guard await AVCaptureDevice.requestAccess(for: .video),
              let device = AVCaptureDevice.default(.builtInWideAngleCamera, for: .video, position: .front),
              let input = try? AVCaptureDeviceInput(device: device)
        else { return false }
        let output = AVCaptureVideoDataOutput()
        output.videoSettings = [kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_32BGRA]
        output.alwaysDiscardsLateVideoFrames = true
        output.setSampleBufferDelegate(self, queue: queue)
        guard session.canAddInput(input), session.canAddOutput(output) else { return false }
        session.beginConfiguration()
        session.sessionPreset = .hd1280x720
        session.addInput(input)
        session.addOutput(output)
        // The connection turns buffers upright, so sessions get `.up`. Buffers stay unmirrored.
        output.connection(with: .video)?.videoOrientation = .portrait
        session.commitConfiguration()
        queue.async { self.session.startRunning() }
        return true
    }

    /// From now on hands each frame to this, on the camera's queue; nil for nobody.
    func deliver(to onFrame: ((CMSampleBuffer) -> Void)?) {
        queue.async { self.onFrame = onFrame }
    }

    func captureOutput(_ output: AVCaptureOutput, didOutput sample: CMSampleBuffer, from connection: AVCaptureConnection) {
        onFrame?(sample)
    }
}
