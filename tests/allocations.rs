//! The epoch loop allocates nothing: more epochs, no more allocations.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::Array2;
use schuss::kernels::activation::Activation;
use schuss::kernels::loss::{Loss, Targets};
use schuss::kernels::matmul::Factors;
use schuss::kernels::sparse::{Csr, Indices};
use schuss::mlp::data::{Data, Inputs};
use schuss::mlp::shards::Shards;
use schuss::mlp::stages::NormKind;
use schuss::mlp::trainer::{Best, Criterion, Epoch, Found, Monitor, Options, Selection, fit};
use schuss::mlp::{Architecture, Network};
use schuss::optim::options::{Convention, Value};
use schuss::optim::{Config, Optimizer};
use schuss::stop::Stop;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Silent;

impl Monitor for Silent {
    fn epoch(&mut self, _: &Epoch) -> Option<Stop> {
        None
    }
}

fn allocations(epochs: usize, (threads, shards): (usize, usize), sparse: bool, factors: Factors) -> usize {
    let loss = Loss::from_name("cross_entropy").unwrap();
    let network = Network::new(&Architecture {
        activations: vec![Activation::Relu, Activation::Silu],
        norm: Some(NormKind::Layer),
        l2: 0.001,
        dropout: vec![0.1, 0.0],
        factors,
        ..Architecture::plain(&[20, 40, 30, 5], Activation::Relu, loss)
    });
    let x = Array2::<f32>::from_shape_fn((500, 20), |(i, j)| ((i * 3 + j * 5) % 11) as f32 / 11.0);
    let classes: Vec<u32> = (0..500).map(|i| i % 5).collect();
    let columns: Vec<i32> = (0..500 * 20).map(|k| k % 20).collect();
    let starts: Vec<i32> = (0..=500).map(|i| i * 20).collect();
    let (columns, starts) = (Indices::Short(&columns), Indices::Short(&starts));
    let csr = Csr::new(x.as_slice().unwrap(), columns, starts, 20, 1).unwrap();
    let x = if sparse { Inputs::Sparse(csr) } else { Inputs::Dense(x.view()) };
    let data = Data { x, targets: Targets::Classes(&classes), weights: None };
    let mut params = vec![0.01; network.tensors.len()];
    let config = Config::new("adam", Convention::Lecture).unwrap().with("clip_norm", Value::Number(1.0)).unwrap();
    let mut optimizer = Optimizer::new(&config, &network.tensors.sizes()).unwrap();
    let options = Options {
        batch_size: Some(64),
        shards: Shards::all(shards),
        epochs,
        threads: Some(threads),
        ..Options::default()
    };
    let selection = Selection { criterion: Criterion::ErrorRate, latest: true, patience: None };
    let (mut found, mut kept) = (Found::default(), params.clone());
    let best = Best { selection, found: &mut found, params: Some(&mut kept) };
    let before = ALLOCATIONS.load(Ordering::SeqCst);
    fit(&network, &mut params, &mut optimizer, (&data, Some(&data)), &options, &mut Silent, Some(best)).0.unwrap();
    ALLOCATIONS.load(Ordering::SeqCst) - before
}

#[test]
fn the_epoch_loop_allocates_nothing() {
    let several = [((1, 1), false), ((2, 1), false), ((1, 1), true), ((2, 1), true), ((2, 5), false)];
    let exact = several.map(|(how, sparse)| (how, sparse, Factors::Exact));
    let rounded = [((1, 1), false, Factors::Bfloat16), ((2, 1), false, Factors::Bfloat16)];
    let is_there = Factors::Bfloat16.check::<f32>().is_ok();
    for (how, sparse, factors) in exact.into_iter().chain(rounded.into_iter().filter(|_| is_there)) {
        allocations(1, how, sparse, factors); // the pool's threads start here
        // A training that begins long after the last one asks anew how many cores there are, which allocates a little. On a busy
        // machine that is each of the long ones, and none of the short ones; an allocation in each epoch would be 49 more.
        let fewest = |epochs| (0..5).map(|_| allocations(epochs, how, sparse, factors)).min().unwrap();
        let (one, many) = (fewest(1), fewest(50));
        assert!(one > 0);
        assert!(many < one + 16, "{how:?} threads and shards: {one} allocations for 1 epoch, {many} for 50");
    }
}
