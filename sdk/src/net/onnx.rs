//! The words of an ONNX file: attributes and constants, read where they lie.

use std::borrow::Cow;
#[cfg(feature = "onnx")]
use std::collections::HashMap;

#[cfg(feature = "onnx")]
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};

/// Why a graph, or a part of it, is not for our own kernels.
pub(super) type Unknown = String;

/// A node's attributes.
#[cfg(feature = "onnx")]
pub(super) struct Attributes<'a>(pub &'a NodeProto);

#[cfg(feature = "onnx")]
impl<'a> Attributes<'a> {
    fn find(&self, name: &str) -> Option<&'a tract_onnx::pb::AttributeProto> {
        self.0.attribute.iter().find(|attribute| attribute.name == name)
    }

    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        self.find(name).map_or(default, |attribute| attribute.i)
    }

    pub(super) fn float(&self, name: &str, default: f32) -> f32 {
        self.find(name).map_or(default, |attribute| attribute.f)
    }

    pub(super) fn text(&self, name: &str, default: &'static str) -> &'a str {
        self.find(name).map_or(default, |attribute| std::str::from_utf8(&attribute.s).unwrap_or(""))
    }

    /// `count` sizes, or none of them when the file leaves the attribute away.
    pub(super) fn sizes(&self, name: &str, default: usize, count: usize) -> Result<Vec<usize>, Unknown> {
        let Some(attribute) = self.find(name) else { return Ok(vec![default; count]) };
        let sizes: Option<Vec<usize>> =
            attribute.ints.iter().map(|i| usize::try_from(*i).ok().filter(|i| *i < 1 << 16)).collect();
        sizes.filter(|sizes| sizes.len() == count).ok_or_else(|| format!("{name} of {:?}", attribute.ints))
    }

    pub(super) fn ints(&self, name: &str) -> &'a [i64] {
        self.find(name).map_or(&[], |attribute| &attribute.ints)
    }
}

/// A constant's numbers, as the file holds them.
#[derive(Clone)]
pub(super) enum Numbers<'a> {
    F32(Cow<'a, [f32]>),
    /// Little-endian.
    F32Bytes(&'a [u8]),
    /// The bits of i8.
    I8(Cow<'a, [u8]>),
    U8(Cow<'a, [u8]>),
    I32(Cow<'a, [i32]>),
    I64(Cow<'a, [i64]>),
}

/// A constant.
#[derive(Clone)]
pub(super) struct Constant<'a> {
    pub dims: Vec<usize>,
    pub numbers: Numbers<'a>,
}

impl<'a> Constant<'a> {
    #[cfg(feature = "onnx")]
    pub(super) fn read(tensor: &'a TensorProto) -> Result<Constant<'a>, Unknown> {
        let name = &tensor.name;
        let dims: Option<Vec<usize>> = tensor.dims.iter().map(|d| usize::try_from(*d).ok()).collect();
        let dims = dims.ok_or_else(|| format!("{name} has a negative size"))?;
        let count = dims.iter().try_fold(1_usize, |n, d| n.checked_mul(*d)).ok_or_else(|| format!("{name} is too large"))?;
        let raw = &tensor.raw_data[..];
        let narrow = || tensor.int32_data.iter().copied();
        let (numbers, held) = match (tensor.data_type, raw.is_empty()) {
            (1, true) => (Numbers::F32(Cow::Borrowed(&tensor.float_data)), tensor.float_data.len()),
            (1, false) => (Numbers::F32Bytes(raw), raw.len() / 4),
            (2, true) => (Numbers::U8(narrow().map(|v| v as u8).collect()), tensor.int32_data.len()),
            (2, false) => (Numbers::U8(Cow::Borrowed(raw)), raw.len()),
            (3, true) => (Numbers::I8(narrow().map(|v| v as i8 as u8).collect()), tensor.int32_data.len()),
            (3, false) => (Numbers::I8(Cow::Borrowed(raw)), raw.len()),
            (6, true) => (Numbers::I32(Cow::Borrowed(&tensor.int32_data)), tensor.int32_data.len()),
            (6, false) => (Numbers::I32(raw.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b)).collect()), raw.len() / 4),
            (7, true) => (Numbers::I64(Cow::Borrowed(&tensor.int64_data)), tensor.int64_data.len()),
            (7, false) => (Numbers::I64(raw.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)).collect()), raw.len() / 8),
            (other, _) => return Err(format!("{name} has ONNX's number type {other}")),
        };
        if held != count {
            return Err(format!("{name} holds {held} numbers, its shape says {count}"));
        }
        Ok(Constant { dims, numbers })
    }

    pub(super) fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// A number of an f32 constant; zero behind its end.
    pub(super) fn float(&self, at: usize) -> f32 {
        match &self.numbers {
            Numbers::F32(numbers) => numbers.get(at).copied().unwrap_or_default(),
            Numbers::F32Bytes(bytes) => bytes.as_chunks().0.get(at).map_or(0.0, |b| f32::from_le_bytes(*b)),
            _ => 0.0,
        }
    }

    pub(super) fn floats(&self) -> Result<Vec<f32>, Unknown> {
        match &self.numbers {
            Numbers::F32(_) | Numbers::F32Bytes(_) => Ok((0..self.len()).map(|at| self.float(at)).collect()),
            _ => Err("a constant that is not f32".into()),
        }
    }

    pub(super) fn is_float(&self) -> bool {
        matches!(self.numbers, Numbers::F32(_) | Numbers::F32Bytes(_))
    }

    pub(super) fn i64s(&self) -> Result<&[i64], Unknown> {
        match &self.numbers {
            Numbers::I64(numbers) => Ok(numbers),
            _ => Err("a constant that is not i64".into()),
        }
    }

    /// Whole numbers of any width.
    pub(super) fn whole(&self) -> Option<Vec<i32>> {
        match &self.numbers {
            Numbers::I8(numbers) => Some(numbers.iter().map(|v| i32::from(*v as i8)).collect()),
            Numbers::U8(numbers) => Some(numbers.iter().map(|v| i32::from(*v)).collect()),
            Numbers::I32(numbers) => Some(numbers.to_vec()),
            _ => None,
        }
    }
}

/// The constants of a graph by name: initialisers and `Constant` nodes.
#[cfg(feature = "onnx")]
pub(super) fn constants(graph: &GraphProto) -> HashMap<&str, &TensorProto> {
    let mut constants: HashMap<&str, &TensorProto> = graph.initializer.iter().map(|t| (t.name.as_str(), t)).collect();
    for node in graph.node.iter().filter(|node| node.op_type == "Constant") {
        let value = node.attribute.iter().find(|a| a.name == "value").and_then(|a| a.t.as_ref());
        if let (Some(name), Some(value)) = (node.output.first(), value) {
            constants.insert(name, value);
        }
    }
    constants
}
