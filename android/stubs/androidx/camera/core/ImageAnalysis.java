package androidx.camera.core;

public final class ImageAnalysis {
    public interface Analyzer {
        void analyze(ImageProxy image);
    }
}
