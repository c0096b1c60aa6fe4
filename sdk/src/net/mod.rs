//! The network runtime: the one room that knows tract.
//!
//! A [`Network`] is an ONNX graph at one concrete input shape, ready to run from any thread. A graph whose operators all have kernels
//! here (`import` reads it, `fuse` joins what belongs together, [`plan`] lays it out) runs on them without tract; any other runs on
//! tract as a whole. A pack may hold the graph after all that ([`prepared`]), to be used where it lies.
//!
//! Without the feature `onnx` prepared networks are all that runs: neither tract nor what reads ONNX is a part of the program.
#![cfg_attr(not(feature = "onnx"), allow(dead_code))]

mod elementwise;
#[cfg(feature = "onnx")]
mod fuse;
mod graph;
#[cfg(feature = "onnx")]
mod import;
mod input;
mod kernels;
#[cfg(feature = "onnx")]
mod measured;
mod onnx;
mod plan;
mod prepared;
#[cfg(feature = "onnx")]
mod signature;
#[cfg(feature = "onnx")]
mod tract;

#[cfg(all(test, feature = "onnx"))]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, ErrorCode, Result};
use crate::pack::{Bytes, Pack};

use kernels::Memory;
#[cfg(feature = "onnx")]
pub use measured::Measured;
use plan::{Plan, Sets};
#[cfg(feature = "onnx")]
use {fuse::fuse, graph::Graph, tract::Tract};

/// Why a program without the feature `onnx` does not run a network, and what to do.
#[cfg(not(feature = "onnx"))]
const WITHOUT_ONNX: &str = "the pack has no network prepared for this version, and this build does not read ONNX: \
                            pack it anew by `veriface pack`, or build with the feature `onnx`";

/// A graph with one f32 input of a fixed shape and any number of f32 outputs.
pub(crate) struct Network {
    runtime: Runtime,
    input_shape: Vec<usize>,
    output_names: Vec<String>,
}

enum Runtime {
    /// On our own kernels. A run borrows one of the idle states, or makes the first for a thread more.
    Kernels { plan: Plan, idle: Mutex<Vec<State>> },
    #[cfg(feature = "onnx")]
    Tract(Tract),
}

/// What a run writes to.
struct State {
    arena: Memory,
    outputs: Vec<Output>,
}

/// One output of a run, with the name that the ONNX file gives it.
pub(crate) struct Output {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl Network {
    /// A part of a pack, as it is prepared there or from its ONNX graph.
    ///
    /// # Errors
    /// As [`Network::load`], also for a prepared part that is not one; those of [`crate::Part::bytes`].
    pub(crate) fn of_pack(pack: &Pack, part: &str, input_shape: &[usize]) -> Result<Network> {
        if let Some((prepared, onnx)) = pack.prepared(part)?
            && let Some(network) = Network::load_prepared(&prepared, input_shape, &onnx, Sets::best())?
        {
            return Ok(network);
        }
        Network::of_onnx(pack, part, input_shape)
    }

    #[cfg(feature = "onnx")]
    fn of_onnx(pack: &Pack, part: &str, input_shape: &[usize]) -> Result<Network> {
        Network::load(&pack.bytes_of(part)?, input_shape)
    }

    #[cfg(not(feature = "onnx"))]
    fn of_onnx(_: &Pack, part: &str, _: &[usize]) -> Result<Network> {
        Err(Error::new(ErrorCode::UnusableNetwork, format!("`{part}`: {WITHOUT_ONNX}")))
    }

    /// Reads the graph and prepares it for inputs of this shape.
    ///
    /// # Errors
    /// [`ErrorCode::UnusableNetwork`] with the runtime's words: not ONNX, an operator that is not supported, a shape that does not fit.
    #[cfg(feature = "onnx")]
    pub(crate) fn load(onnx: &[u8], input_shape: &[usize]) -> Result<Network> {
        Network::load_for(onnx, input_shape, Some(Sets::best()))
    }

    fn load_prepared(bytes: &Bytes, input_shape: &[usize], onnx: &[u8; 32], sets: Sets) -> Result<Option<Network>> {
        let read =
            guarded(|| prepared::read(bytes, input_shape, onnx, sets).map_err(|why| format!("a prepared network: {why}")))?;
        Ok(read.map(|read| Network {
            runtime: Runtime::Kernels { plan: read.plan, idle: Mutex::default() },
            input_shape: input_shape.to_vec(),
            output_names: read.names,
        }))
    }

    /// [`Network::prepare`] of a part, which is named with it.
    #[cfg(feature = "onnx")]
    pub(crate) fn prepare_part(pack: &Pack, part: &str, input_shape: &[usize]) -> Result<Option<(String, Vec<u8>)>> {
        let onnx = pack.parts().iter().find(|other| other.name == part);
        let Some(onnx) = onnx else { return Ok(None) };
        let prepared = Network::prepare(&onnx.bytes()?, input_shape, onnx.digest().as_bytes())?;
        Ok(prepared.map(|prepared| (part.to_string(), prepared)))
    }

    /// # Errors
    /// [`ErrorCode::UnusableNetwork`], always: without `onnx` nothing reads what would be prepared.
    #[cfg(not(feature = "onnx"))]
    pub(crate) fn prepare_part(_: &Pack, part: &str, _: &[usize]) -> Result<Option<(String, Vec<u8>)>> {
        Err(Error::new(ErrorCode::UnusableNetwork, format!("`{part}`: {WITHOUT_ONNX}")))
    }

    /// The network as a pack holds it beside its ONNX file, whose SHA-256 this is; `None` when it runs on tract.
    ///
    /// # Errors
    /// As [`Network::load`].
    #[cfg(feature = "onnx")]
    pub(crate) fn prepare(onnx: &[u8], input_shape: &[usize], sha256: &[u8; 32]) -> Result<Option<Vec<u8>>> {
        let proto = guarded(|| signature::parse(onnx))?;
        let name = input_name(&proto, input_shape)?;
        let written = guarded(|| {
            let onnx_graph = signature::graph(&proto)?;
            let names: Vec<String> = onnx_graph.output.iter().map(|output| output.name.clone()).collect();
            let written = Graph::import(onnx_graph, name, input_shape).and_then(|mut graph| {
                fuse(&mut graph);
                Plan::new(&mut graph, Sets::portable())?;
                prepared::write(&graph, input_shape, &names, sha256)
            });
            Ok::<_, tract::Fault>(written)
        })?;
        Ok(written.ok())
    }

    /// With these kernels, or on tract alone.
    #[cfg(feature = "onnx")]
    fn load_for(onnx: &[u8], input_shape: &[usize], sets: Option<Sets>) -> Result<Network> {
        let proto = guarded(|| signature::parse(onnx))?;
        let name = input_name(&proto, input_shape)?;
        let ours = guarded(|| {
            let onnx_graph = signature::graph(&proto)?;
            let sets = sets.ok_or_else(|| "asked for".to_string());
            Ok::<_, tract::Fault>(sets.and_then(|sets| {
                let mut graph = Graph::import(onnx_graph, name, input_shape)?;
                fuse(&mut graph);
                Plan::new(&mut graph, sets)
            }))
        })?;
        let output_names =
            guarded(|| Ok::<_, tract::Fault>(signature::graph(&proto)?.output.iter().map(|o| o.name.clone()).collect()))?;
        let runtime = match ours {
            Ok(plan) => Runtime::Kernels { plan, idle: Mutex::default() },
            Err(why) => Runtime::Tract(guarded(|| Tract::new(&proto, input_shape, why))?),
        };
        Ok(Network { runtime, input_shape: input_shape.to_vec(), output_names })
    }

    /// Runs the graph on what `fill` writes, in the order of the input's axes; `read` gets the outputs in the file's order.
    /// On our own kernels nothing is allocated once as many runs have gone on at the same time as ever will.
    ///
    /// # Errors
    /// [`ErrorCode::NetworkFailed`] when the runtime fails.
    pub(crate) fn run<R>(&self, fill: impl FnOnce(&mut [f32]), read: impl FnOnce(&[Output]) -> R) -> Result<R> {
        match &self.runtime {
            Runtime::Kernels { plan, idle } => {
                let waiting = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let mut state = waiting.unwrap_or_else(|| self.state(plan));
                plan.run(&mut state.arena, fill);
                for (at, output) in state.outputs.iter_mut().enumerate() {
                    output.values.copy_from_slice(plan.output(&state.arena, at).1);
                }
                let result = read(&state.outputs);
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(state);
                Ok(result)
            }
            #[cfg(feature = "onnx")]
            Runtime::Tract(tract) => {
                let outputs = tract.run(&self.input_shape, &self.output_names, fill);
                Ok(read(&outputs.map_err(|e| Error::new(ErrorCode::NetworkFailed, format!("{e:#}")))?))
            }
        }
    }

    /// Shows `read` outputs with the names and shapes that every run gives: on our own kernels those of no run yet, on tract a blank one's.
    ///
    /// # Errors
    /// As [`Network::run`].
    pub(crate) fn without_a_run<R>(&self, read: impl FnOnce(&[Output]) -> R) -> Result<R> {
        match &self.runtime {
            Runtime::Kernels { plan, idle } => {
                let waiting = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let state = waiting.unwrap_or_else(|| self.state(plan));
                let result = read(&state.outputs);
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(state);
                Ok(result)
            }
            #[cfg(feature = "onnx")]
            Runtime::Tract(_) => self.run(|_| (), read),
        }
    }

    fn state(&self, plan: &Plan) -> State {
        let arena = plan.arena();
        let output = |at: usize| {
            let (shape, values) = plan.output(&arena, at);
            let name = self.output_names.get(at).cloned().unwrap_or_default();
            Output { name, shape: shape.to_vec(), values: values.to_vec() }
        };
        let outputs = (0..plan.outputs()).map(output).collect();
        State { arena, outputs }
    }

    /// What runs where: a line for each step on our own kernels, or why the graph runs on tract.
    pub(crate) fn describe(&self) -> Vec<String> {
        match &self.runtime {
            Runtime::Kernels { plan, .. } => {
                let ((weights, arena), (f32, i8)) = (plan.bytes(), plan.kernels());
                let [weights, arena] = [weights, arena].map(|bytes| bytes.div_ceil(1 << 20));
                let summary = format!("f32 on {f32}, int8 on {i8}; {weights} MiB of packed weights, {arena} MiB for a run");
                plan.lines().chain([summary]).collect()
            }
            #[cfg(feature = "onnx")]
            Runtime::Tract(tract) => vec![format!("the whole graph on tract: {}", tract.why())],
        }
    }
}

/// The input's name, when the graph takes this shape.
#[cfg(feature = "onnx")]
fn input_name<'p>(proto: &'p tract_onnx::pb::ModelProto, input_shape: &[usize]) -> Result<&'p str> {
    let (stated, name) = guarded(|| {
        let input = signature::input(signature::graph(proto)?)?;
        Ok::<_, tract::Fault>((signature::stated_shape(input), input.name.as_str()))
    })?;
    let fits = stated.len() == input_shape.len()
        && stated.iter().zip(input_shape).all(|(stated, wanted)| stated.is_none_or(|n| n == *wanted));
    if !fits {
        let stated: Vec<String> = stated.iter().map(|d| d.map_or("?".into(), |n| n.to_string())).collect();
        let detail = format!("the graph takes an input of [{}], not {input_shape:?}", stated.join(", "));
        return Err(Error::new(ErrorCode::UnusableNetwork, detail));
    }
    Ok(name)
}

/// A graph comes from a file, and the importer may panic on a malformed one: that becomes an error like any other.
fn guarded<T, E: std::fmt::Display>(load: impl FnOnce() -> Result<T, E>) -> Result<T> {
    let words = match catch_unwind(AssertUnwindSafe(load)) {
        Ok(Ok(loaded)) => return Ok(loaded),
        Ok(Err(error)) => format!("{error:#}"),
        Err(panic) => match panic.downcast_ref::<&str>().map(|s| s.to_string()).or(panic.downcast_ref::<String>().cloned()) {
            Some(words) => words,
            None => "the importer failed".into(),
        },
    };
    Err(Error::new(ErrorCode::UnusableNetwork, words))
}
