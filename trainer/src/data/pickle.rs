//! The part of Python's pickle format that insightface's verification sets are made of, read without Python and without running
//! anything.
//!
//! A pickle is a program for a stack machine (CPython, `Lib/pickletools.py`). Of its operations only those are known here that
//! build tuples, lists, booleans, small whole numbers, bytes and text, and the few calls by which numpy arrays of bytes and Python 3's
//! bytes under protocol 2 are written. Every other operation and every other name is refused; nothing is ever imported or called.

use std::cell::OnceCell;
use std::rc::Rc;

/// How deep tuples may lie in one another; what is read here needs three.
const DEEPEST: u8 = 8;

/// A Python object.
#[derive(Debug, Clone)]
pub enum Value {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// A whole number of 32 bits.
    Int(i64),
    /// `bytes`, `bytearray`, or Python 2's `str`.
    Bytes(Rc<[u8]>),
    /// `str`.
    Text(Rc<str>),
    /// A tuple.
    Tuple(Rc<Tuple>),
    /// A list: its place in [`Pickle::list`].
    List(usize),
    /// A numpy array of one-byte elements.
    Array(Rc<Array>),
    /// A callable that is known by name.
    Global(Global),
    /// A numpy element type of one byte.
    Dtype(Dtype),
}

/// The items of a tuple.
#[derive(Debug)]
pub struct Tuple {
    /// In order.
    pub items: Vec<Value>,
    depth: u8,
}

/// A numpy array of one-byte elements, its shape forgotten.
#[derive(Debug)]
pub struct Array {
    dtype: OnceCell<Dtype>,
    bytes: OnceCell<Rc<[u8]>>,
}

impl Array {
    /// The elements and their type, once the array is complete.
    pub fn elements(&self) -> Option<(Dtype, &[u8])> {
        Some((*self.dtype.get()?, self.bytes.get()?))
    }
}

/// One-byte element types of numpy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    /// `u1`: unsigned bytes.
    Byte,
    /// `b1`: booleans.
    Bool,
}

/// What may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Global {
    /// `numpy.core.multiarray._reconstruct`: an empty array that BUILD fills.
    Reconstruct,
    /// `numpy.core.numeric._frombuffer`: an array at once (protocol 5).
    FromBuffer,
    /// `numpy.core.multiarray.scalar`.
    Scalar,
    /// `numpy.ndarray`.
    Ndarray,
    /// `numpy.dtype`.
    Dtype,
    /// `_codecs.encode`, by which Python 3 writes bytes under protocol 2: text of the code points 0 to 255.
    Encode,
}

/// A pickle that has been read.
#[derive(Debug)]
pub struct Pickle {
    /// The object itself.
    pub value: Value,
    lists: Vec<Vec<Value>>,
}

impl Pickle {
    /// The items of a list.
    pub fn list(&self, place: usize) -> &[Value] {
        self.lists.get(place).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Reads one pickle. The error is a sentence with the byte at which reading stopped.
///
/// Memory is bounded by the input: a value takes at least a byte of it, and values that are used again are shared.
pub fn read(bytes: &[u8]) -> Result<Pickle, String> {
    let mut machine = Machine { bytes, at: 0, stack: Vec::new(), marks: Vec::new(), memo: Vec::new(), lists: Vec::new() };
    let value = machine.run().map_err(|reason| format!("byte {}: {reason}", machine.at))?;
    Ok(Pickle { value, lists: machine.lists })
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: Vec<Value>,
    lists: Vec<Vec<Value>>,
}

impl Machine<'_> {
    fn run(&mut self) -> Result<Value, String> {
        loop {
            let at = self.at;
            let operation = self.take(1)?[0];
            match operation {
                // PROTO, FRAME
                0x80 => match self.take(1)?[0] {
                    2..=5 => {}
                    version => return Err(format!("pickle protocol {version}; 2 to 5 are read")),
                },
                0x95 => self.take(8).map(|_| ())?,
                b'.' => return self.pop(),
                b'(' => self.marks.push(self.stack.len()),
                b'N' => self.stack.push(Value::None),
                0x88 => self.stack.push(Value::Bool(true)),
                0x89 => self.stack.push(Value::Bool(false)),
                // BININT, BININT1, BININT2
                b'J' => {
                    let number = self.number(4)? as u32 as i32;
                    self.stack.push(Value::Int(number.into()));
                }
                b'K' => self.integer(1)?,
                b'M' => self.integer(2)?,
                // BINSTRING, SHORT_BINSTRING, BINBYTES, SHORT_BINBYTES, BINBYTES8, BYTEARRAY8
                b'T' | b'B' => self.byte_string(4)?,
                b'U' | b'C' => self.byte_string(1)?,
                0x8e | 0x96 => self.byte_string(8)?,
                // BINUNICODE, SHORT_BINUNICODE, BINUNICODE8
                b'X' => self.text(4)?,
                0x8c => self.text(1)?,
                0x8d => self.text(8)?,
                b']' => {
                    self.stack.push(Value::List(self.lists.len()));
                    self.lists.push(Vec::new());
                }
                // APPEND, APPENDS
                b'a' => {
                    let item = self.pop()?;
                    self.append(vec![item])?;
                }
                b'e' => {
                    let items = self.after_mark()?;
                    self.append(items)?;
                }
                // EMPTY_TUPLE, TUPLE1 to TUPLE3, TUPLE
                b')' => self.tuple(Vec::new())?,
                0x85..=0x87 => {
                    let from = self.stack.len().checked_sub(usize::from(operation - 0x84)).ok_or("the stack is too short")?;
                    let items = self.stack.split_off(from);
                    self.tuple(items)?;
                }
                b't' => {
                    let items = self.after_mark()?;
                    self.tuple(items)?;
                }
                // BINPUT, LONG_BINPUT, MEMOIZE: places count up from 0 in every pickle that Python writes.
                b'q' => self.put(1)?,
                b'r' => self.put(4)?,
                0x94 => self.memo.push(self.top()?.clone()),
                // BINGET, LONG_BINGET
                b'h' => self.get(1)?,
                b'j' => self.get(4)?,
                // GLOBAL, STACK_GLOBAL
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.stack.push(Value::Global(global(&module, &name)?));
                }
                0x93 => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    let (Value::Text(name), Value::Text(module)) = (name, module) else {
                        return Err("a name that is no text".into());
                    };
                    self.stack.push(Value::Global(global(&module, &name)?));
                }
                b'R' => {
                    let (arguments, callable) = (self.pop()?, self.pop()?);
                    let (Value::Tuple(arguments), Value::Global(callable)) = (arguments, callable) else {
                        return Err("a call of what is no known function".into());
                    };
                    self.stack.push(call(callable, &arguments.items)?);
                }
                b'b' => {
                    let state = self.pop()?;
                    build(self.top()?, &state)?;
                }
                other => {
                    self.at = at;
                    return Err(format!("operation {other:#04x} has no place in a list of pictures; the file is refused"));
                }
            }
        }
    }

    fn take(&mut self, length: usize) -> Result<&[u8], String> {
        let end = self.at.checked_add(length).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or_else(|| "the pickle is cut short".to_owned())?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// A number of `width` bytes, little-endian.
    fn number(&mut self, width: usize) -> Result<u64, String> {
        Ok(self.take(width)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn counted(&mut self, width: usize) -> Result<&[u8], String> {
        let length = usize::try_from(self.number(width)?).map_err(|_| "a length beyond all memory")?;
        self.take(length)
    }

    fn integer(&mut self, width: usize) -> Result<(), String> {
        let number = self.number(width)?;
        self.stack.push(Value::Int(number as i64));
        Ok(())
    }

    fn byte_string(&mut self, width: usize) -> Result<(), String> {
        let bytes = Rc::from(self.counted(width)?);
        self.stack.push(Value::Bytes(bytes));
        Ok(())
    }

    fn text(&mut self, width: usize) -> Result<(), String> {
        let text = std::str::from_utf8(self.counted(width)?).map_err(|_| "text that is not UTF-8")?;
        let text = Rc::from(text);
        self.stack.push(Value::Text(text));
        Ok(())
    }

    fn line(&mut self) -> Result<String, String> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().take(200).position(|&byte| byte == b'\n').ok_or("a name without an end")?;
        let line = String::from_utf8_lossy(&rest[..length]).into_owned();
        self.at += length + 1;
        Ok(line)
    }

    fn pop(&mut self) -> Result<Value, String> {
        if self.marks.last().is_some_and(|&mark| mark >= self.stack.len()) {
            return Err("the stack is too short".into());
        }
        self.stack.pop().ok_or_else(|| "the stack is too short".into())
    }

    fn top(&self) -> Result<&Value, String> {
        self.stack.last().ok_or_else(|| "the stack is too short".into())
    }

    fn after_mark(&mut self) -> Result<Vec<Value>, String> {
        let mark = self.marks.pop().filter(|&mark| mark <= self.stack.len()).ok_or("no mark")?;
        Ok(self.stack.split_off(mark))
    }

    fn append(&mut self, mut items: Vec<Value>) -> Result<(), String> {
        let Value::List(place) = *self.top()? else { return Err("items for what is no list".into()) };
        self.lists[place].append(&mut items);
        Ok(())
    }

    fn tuple(&mut self, items: Vec<Value>) -> Result<(), String> {
        let inner = items.iter().map(|item| if let Value::Tuple(tuple) = item { tuple.depth } else { 0 }).max().unwrap_or(0);
        if inner >= DEEPEST {
            return Err("tuples too deep in one another".into());
        }
        self.stack.push(Value::Tuple(Rc::new(Tuple { items, depth: inner + 1 })));
        Ok(())
    }

    fn put(&mut self, width: usize) -> Result<(), String> {
        let place = self.number(width)? as usize;
        let value = self.top()?.clone();
        match place.cmp(&self.memo.len()) {
            std::cmp::Ordering::Less => self.memo[place] = value,
            std::cmp::Ordering::Equal => self.memo.push(value),
            std::cmp::Ordering::Greater => return Err(format!("memo {place} before memo {}", self.memo.len())),
        }
        Ok(())
    }

    fn get(&mut self, width: usize) -> Result<(), String> {
        let place = self.number(width)? as usize;
        let value = self.memo.get(place).cloned().ok_or_else(|| format!("memo {place} is empty"))?;
        self.stack.push(value);
        Ok(())
    }
}

fn global(module: &str, name: &str) -> Result<Global, String> {
    // numpy 2 renamed `core`.
    match (module.replace("numpy._core", "numpy.core").as_str(), name) {
        ("numpy.core.multiarray", "_reconstruct") => Ok(Global::Reconstruct),
        ("numpy.core.multiarray", "scalar") => Ok(Global::Scalar),
        ("numpy.core.numeric", "_frombuffer") => Ok(Global::FromBuffer),
        ("numpy", "ndarray") => Ok(Global::Ndarray),
        ("numpy", "dtype") => Ok(Global::Dtype),
        ("_codecs", "encode") => Ok(Global::Encode),
        _ => Err(format!("`{module}.{name}` has no place in a list of pictures; the file is refused")),
    }
}

fn call(callable: Global, arguments: &[Value]) -> Result<Value, String> {
    match (callable, arguments) {
        (Global::Reconstruct, [Value::Global(Global::Ndarray), Value::Tuple(_), _]) => {
            Ok(Value::Array(Rc::new(Array { dtype: OnceCell::new(), bytes: OnceCell::new() })))
        }
        (Global::FromBuffer, [Value::Bytes(bytes), Value::Dtype(dtype), shape, ..]) => {
            let array = Array { dtype: OnceCell::new(), bytes: OnceCell::new() };
            fill(&array, shape, *dtype, bytes)?;
            Ok(Value::Array(Rc::new(array)))
        }
        (Global::Scalar, [Value::Dtype(Dtype::Bool), Value::Bytes(bytes)]) if bytes.len() == 1 => Ok(Value::Bool(bytes[0] != 0)),
        (Global::Dtype, [name, ..]) => {
            let name = match name {
                Value::Text(text) => text.as_bytes(),
                Value::Bytes(bytes) => bytes,
                _ => return Err("an element type without a name".into()),
            };
            match name {
                b"u1" | b"|u1" => Ok(Value::Dtype(Dtype::Byte)),
                b"b1" | b"|b1" => Ok(Value::Dtype(Dtype::Bool)),
                other => Err(format!("an array of `{}`; pictures are arrays of u1", String::from_utf8_lossy(other))),
            }
        }
        (Global::Encode, [Value::Text(text), Value::Text(encoding)]) if &**encoding == "latin1" => {
            let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
            Ok(Value::Bytes(bytes.ok_or("text beyond latin1")?.into()))
        }
        _ => Err(format!("a call of {callable:?} with other arguments than numpy's and Python's own")),
    }
}

/// BUILD: gives an array its elements, or an element type its byte order, which one byte does not have.
fn build(object: &Value, state: &Value) -> Result<(), String> {
    match (object, state) {
        (Value::Dtype(_), Value::Tuple(_)) => Ok(()),
        (Value::Array(array), Value::Tuple(state)) => match state.items.as_slice() {
            [Value::Int(_), shape, Value::Dtype(dtype), Value::Bool(_) | Value::Int(_), Value::Bytes(bytes)] => {
                fill(array, shape, *dtype, bytes)
            }
            _ => Err("an array without its elements".into()),
        },
        _ => Err("a state for what has none".into()),
    }
}

fn fill(array: &Array, shape: &Value, dtype: Dtype, bytes: &Rc<[u8]>) -> Result<(), String> {
    let Value::Tuple(shape) = shape else { return Err("an array without a shape".into()) };
    let mut sizes = shape.items.iter().map(|size| match size {
        Value::Int(size) => usize::try_from(*size).ok(),
        _ => None,
    });
    let count = sizes.try_fold(1usize, |count, size| count.checked_mul(size?));
    if count != Some(bytes.len()) {
        return Err("an array whose shape and length disagree".into());
    }
    if array.dtype.set(dtype).is_err() || array.bytes.set(bytes.clone()).is_err() {
        return Err("an array that is filled twice".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(bytes: &[u8]) -> String {
        read(bytes).expect_err("refused")
    }

    /// `pickle.dumps(([b"a"], [True]), 3)`, without the memo.
    const SMALL: &[u8] = b"\x80\x03](C\x01ae](\x88e\x86.";

    #[test]
    fn a_small_pickle_is_read() {
        let pickle = read(SMALL).expect("read");
        let Value::Tuple(tuple) = &pickle.value else { panic!("{:?}", pickle.value) };
        let [Value::List(pictures), Value::List(same)] = tuple.items[..] else { panic!("{tuple:?}") };
        assert!(matches!(pickle.list(pictures), [Value::Bytes(bytes)] if **bytes == *b"a"));
        assert!(matches!(pickle.list(same), [Value::Bool(true)]));
    }

    /// `pickle.dumps(os.system)` and its call; a class instance; a dictionary; a persistent id; a big integer.
    #[test]
    fn whatever_could_run_or_surprise_is_refused() {
        assert!(refused(b"\x80\x02cposix\nsystem\nX\x02\0\0\0id\x85R.").contains("`posix.system`"));
        assert!(refused(b"\x80\x04\x8c\x05posix\x8c\x06system\x93.").contains("`posix.system`"));
        assert!(refused(b"\x80\x02cbuiltins\neval\n.").contains("`builtins.eval`"));
        for (bytes, operation) in [
            (&b"\x80\x02}."[..], "0x7d"),
            (b"\x80\x02(i__main__\nA\n.", "0x69"),
            (b"\x80\x02Pa\n.", "0x50"),
            (b"\x80\x02\x8a\x01a.", "0x8a"),
        ] {
            assert!(refused(bytes).contains(operation), "{bytes:?}");
        }
        assert!(refused(b"\x80\x06.").contains("protocol 6"));
    }

    #[test]
    fn damaged_pickles_are_refused() {
        for end in 0..SMALL.len() {
            assert!(read(&SMALL[..end]).is_err(), "{end}");
        }
        assert!(refused(b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff.").contains("cut short"));
        assert!(refused(b"\x80\x02h\x05.").contains("memo 5"));
        assert!(refused(b"\x80\x02Nr\xff\xff\xff\x7f.").contains("memo"));
        assert!(refused(b"\x80\x02e.").contains("no mark"));
        assert!(refused(&[&b"\x80\x02N"[..], &[0x85; 100], b"."].concat()).contains("too deep"));
        assert!(refused(b"\x80\x02(N\x86.").contains("too short") || read(b"\x80\x02(N\x86.").is_err());
        let array = |shape: u8| {
            let dtype = b"cnumpy\ndtype\nU\x02u1K\0K\x01\x87R";
            [&b"\x80\x02cnumpy.core.numeric\n_frombuffer\n(U\x03abc"[..], dtype, b"K", &[shape], b"\x85U\x01CtR."].concat()
        };
        assert!(read(&array(3)).is_ok());
        assert!(refused(&array(4)).contains("disagree"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }

        /// Bytes that begin well, and mostly known operations.
        #[test]
        fn no_operations_panic(operations in proptest::collection::vec(
            prop_oneof![
                proptest::sample::select(b"()].NKU\x85\x86\x87\x88\x94qhteabR\x93C\x8c".to_vec()).prop_map(|byte| vec![byte]),
                Just(b"cnumpy\ndtype\n".to_vec()),
                Just(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R".to_vec()),
                any::<u8>().prop_map(|byte| vec![byte]),
            ], 0..60)
        ) {
            let _ = read(&[b"\x80\x02".to_vec(), operations.concat()].concat());
        }
    }
}
