// swift-tools-version:5.9
import PackageDescription

// `ios/build-xcframework.sh` makes the binary target: the native library for devices and for both simulators.
let package = Package(
    name: "Veriface",
    platforms: [.iOS(.v13), .macOS(.v11)],
    products: [.library(name: "Veriface", targets: ["Veriface"])],
    targets: [
        .binaryTarget(name: "veriface_nativeFFI", path: "veriface_nativeFFI.xcframework"),
        // Generated: `bindings/generate.sh swift`.
        .target(name: "VerifaceUniffi", dependencies: ["veriface_nativeFFI"], exclude: ["veriface_nativeFFI.h"]),
        .target(name: "Veriface", dependencies: ["VerifaceUniffi"], resources: [.copy("PrivacyInfo.xcprivacy")]),
        .testTarget(name: "VerifaceTests", dependencies: ["Veriface"], resources: [.copy("Portraits")]),
    ]
)
