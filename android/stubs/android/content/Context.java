package android.content;

import android.content.res.AssetManager;
import java.io.File;

public class Context {
    public File getNoBackupFilesDir() {
        return null;
    }

    public File getExternalFilesDir(String type) {
        return null;
    }

    public AssetManager getAssets() {
        return null;
    }
}
