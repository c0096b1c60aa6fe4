//! The detector as an ONNX file, in the form of YuNet's outputs.
