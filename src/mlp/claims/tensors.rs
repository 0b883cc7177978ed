//! Claims on parameters, their gradient and their state.

use std::hint::black_box;
use std::ops::Range;

use super::super::tensors::{Piece, Tensors};
use super::vouched::Vouched;
use crate::optim::MAX_SLOTS;
use crate::pages::SMALL_PAGE;
use crate::scalar::Scalar;
use crate::team::{Shared, Worker};

/// What belongs to one worker: pieces of tensors, and the runs of the flat vector that they are.
pub struct Share {
    /// In the order of the flat vector.
    pub pieces: Vec<Piece>,
    runs: Vec<Range<usize>>,
}

impl Share {
    /// Pieces in the order of the flat vector, each as wide as its tensor.
    pub fn new(tensors: &Tensors, pieces: Vec<Piece>) -> Self {
        let mut runs: Vec<Range<usize>> = vec![];
        for piece in &pieces {
            assert_eq!(piece.tile.cols, 0..tensors.get(piece.tensor).cols, "pieces of whole rows");
            let range = tensors.range(piece);
            match runs.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => runs.push(range),
            }
        }
        Share { pieces, runs }
    }

    /// Refuses a part of the flat vector that does not belong to it.
    #[inline]
    fn check(&self, range: &Range<usize>) {
        let holds = self.runs.iter().any(|run| run.start <= range.start && range.end <= run.end);
        assert!(holds, "not this worker's");
    }
}

/// The gradient, shared by a team, and its sums in double precision, where a batch passes through in pieces. Where a batch is cut
/// into shards it is the first of several nodes, which come to be added.
pub struct Gradient<'a, T> {
    grads: Shared<'a, T>,
    sums: Shared<'a, f64>,
    /// The nodes after the first one.
    others: Vec<Shared<'a, T>>,
}

impl<'a, T: Scalar> Gradient<'a, T> {
    /// Shares it for as long as it is borrowed.
    pub fn new(grads: &'a mut [T], sums: &'a mut [f64]) -> Self {
        Gradient { grads: Shared::new(grads), sums: Shared::new(sums), others: vec![] }
    }

    /// The same with so many nodes more as fit into `others`, one after the other.
    pub fn with_nodes(self, others: &'a mut [T]) -> Self {
        let others = others.chunks_mut(self.grads.len().max(1)).map(Shared::new).collect();
        Gradient { others, ..self }
    }

    /// One of the nodes; the first one is the gradient.
    #[inline]
    fn node(&self, node: usize) -> Shared<'a, T> {
        if node == 0 { self.grads } else { self.others[node - 1] }
    }

    /// One worker's share.
    ///
    /// # Safety
    /// Until the team meets next nobody else has a claim on that share.
    #[inline]
    pub unsafe fn mine<'b>(&'b self, _until_meeting: &'b Worker<'_>, share: &'b Share) -> MyGradient<'b, 'a, T> {
        MyGradient { all: self, share, vouched: Vouched::by_caller() }
    }
}

/// One worker's share of the gradient.
pub struct MyGradient<'b, 'a, T> {
    all: &'b Gradient<'a, T>,
    share: &'b Share,
    vouched: Vouched,
}

impl<'b, T: Scalar> MyGradient<'b, '_, T> {
    /// The pieces it is made of.
    #[inline]
    pub fn pieces(&self) -> &'b [Piece] {
        &self.share.pieces
    }

    /// A part of it.
    #[inline]
    pub fn part(&self, range: Range<usize>) -> &[T] {
        self.share.check(&range);
        self.vouched.read(self.all.grads, range)
    }

    /// A part of it, to write to.
    #[inline]
    pub fn part_mut(&mut self, range: Range<usize>) -> &mut [T] {
        self.share.check(&range);
        self.vouched.write(self.all.grads, range)
    }

    /// A part of it and its sums, to write to.
    #[inline]
    pub fn part_and_sums_mut(&mut self, range: Range<usize>) -> (&mut [T], &mut [f64]) {
        self.node_and_sums_mut(0, range)
    }

    fn node_mut(&mut self, node: usize, range: Range<usize>) -> &mut [T] {
        self.share.check(&range);
        self.vouched.write(self.all.node(node), range)
    }

    fn node_and_sums_mut(&mut self, node: usize, range: Range<usize>) -> (&mut [T], &mut [f64]) {
        self.share.check(&range);
        // Two different arrays.
        (self.vouched.write(self.all.node(node), range.clone()), self.vouched.write(self.all.sums, range))
    }

    fn node_and_next(&mut self, node: usize, range: Range<usize>) -> (&mut [T], &[T]) {
        self.share.check(&range);
        // Two different arrays.
        (self.vouched.write(self.all.node(node), range.clone()), self.vouched.read(self.all.node(node + 1), range))
    }
}

/// Parameters, their gradient and the optimizer's state, shared by a team.
pub struct Parameters<'a, T> {
    params: Shared<'a, T>,
    gradient: Gradient<'a, T>,
    state: Vec<Shared<'a, T>>,
}

impl<'a, T: Scalar> Parameters<'a, T> {
    /// Shares three kinds of vectors, all of the same length.
    pub fn new(params: &'a mut [T], gradient: Gradient<'a, T>, state: Vec<Shared<'a, T>>) -> Self {
        assert!(params.len() == gradient.grads.len() && state.iter().all(|state| state.len() == params.len()));
        Parameters { params: Shared::new(params), gradient, state }
    }

    /// All parameters.
    ///
    /// # Safety
    /// Until the team meets next nobody writes to them.
    #[inline]
    pub unsafe fn read<'b>(&'b self, _until_meeting: &'b Worker<'_>) -> &'b [T] {
        Vouched::by_caller().read(self.params, 0..self.params.len())
    }

    /// All parameters and their gradient, for one worker alone.
    ///
    /// # Safety
    /// Until the team meets next nobody else has a claim on any of them.
    #[expect(clippy::mut_from_ref, reason = "the caller vouches for being alone")]
    pub unsafe fn all_mut<'b>(&'b self, _until_meeting: &'b Worker<'_>) -> (&'b mut [T], &'b [T]) {
        let all = 0..self.params.len();
        (Vouched::by_caller().write(self.params, all.clone()), Vouched::by_caller().read(self.gradient.grads, all))
    }

    /// A node of the gradient and the next one, for one worker alone.
    ///
    /// # Safety
    /// Until the team meets next nobody else has a claim on the gradient.
    #[expect(clippy::mut_from_ref, reason = "the caller vouches for being alone")]
    pub unsafe fn nodes_mut<'b>(
        &'b self,
        _until_meeting: &'b Worker<'_>,
        node: usize,
    ) -> (&'b mut [T], Option<&'b [T]>) {
        let all = 0..self.params.len();
        // Two different arrays.
        let next = (node < self.gradient.others.len()).then(|| self.gradient.node(node + 1));
        let next = next.map(|next| Vouched::by_caller().read(next, all.clone()));
        (Vouched::by_caller().write(self.gradient.node(node), all), next)
    }

    /// One worker's share of all of it.
    ///
    /// # Safety
    /// Until the team meets next nobody else has a claim on that share; nobody writes to the parameters while somebody
    /// [reads](Self::read) them.
    #[inline]
    pub unsafe fn mine<'b>(&'b self, _until_meeting: &'b Worker<'_>, share: &'b Share) -> MyTensors<'b, 'a, T> {
        MyTensors { all: self, gradient: MyGradient { all: &self.gradient, share, vouched: Vouched::by_caller() } }
    }
}

/// One worker's share of parameters, gradient and state.
pub struct MyTensors<'b, 'a, T> {
    all: &'b Parameters<'a, T>,
    gradient: MyGradient<'b, 'a, T>,
}

impl<'b, T: Scalar> MyTensors<'b, '_, T> {
    /// The pieces it is made of.
    #[inline]
    pub fn pieces(&self) -> &'b [Piece] {
        self.gradient.pieces()
    }

    /// A part of the gradient.
    #[inline]
    pub fn grads(&self, range: Range<usize>) -> &[T] {
        self.gradient.part(range)
    }

    /// A part of the gradient, to write to.
    #[inline]
    pub fn grads_mut(&mut self, range: Range<usize>) -> &mut [T] {
        self.gradient.part_mut(range)
    }

    /// A part of a node of the gradient, to write to.
    #[inline]
    pub fn node_mut(&mut self, node: usize, range: Range<usize>) -> &mut [T] {
        self.gradient.node_mut(node, range)
    }

    /// A part of a node of the gradient and its sums, to write to.
    #[inline]
    pub fn node_and_sums_mut(&mut self, node: usize, range: Range<usize>) -> (&mut [T], &mut [f64]) {
        self.gradient.node_and_sums_mut(node, range)
    }

    /// A part of a node of the gradient to write to, and of the next one.
    #[inline]
    pub fn node_and_next(&mut self, node: usize, range: Range<usize>) -> (&mut [T], &[T]) {
        self.gradient.node_and_next(node, range)
    }

    /// A part of the parameters, and their gradient to write to.
    #[inline]
    pub fn params_and_grads(&mut self, range: Range<usize>) -> (&[T], &mut [T]) {
        let vouched = self.gradient.vouched;
        let grads = self.gradient.part_mut(range.clone());
        (vouched.read(self.all.params, range), grads)
    }

    /// Writes to every page of a part of the state, without changing it: the system then gives the memory that nobody has used yet.
    pub fn touch_state(&mut self, range: Range<usize>) {
        let ToUpdate { state, count, .. } = self.to_update(range);
        let per_page = SMALL_PAGE / size_of::<T>();
        for number in state.into_iter().take(count).flat_map(|state| state.iter_mut().step_by(per_page)) {
            *number = black_box(*number);
        }
    }

    /// A part of the parameters to write to, their gradient, and their state: so many arrays as the last number says.
    #[inline]
    pub fn to_update(&mut self, range: Range<usize>) -> ToUpdate<'_, T> {
        let mut state: [&mut [T]; MAX_SLOTS] = Default::default();
        let grads = self.gradient.part(range.clone());
        for (to, state) in state.iter_mut().zip(&self.all.state) {
            *to = self.gradient.vouched.write(*state, range.clone());
        }
        let params = self.gradient.vouched.write(self.all.params, range);
        ToUpdate { params, grads, state, count: self.all.state.len() }
    }
}

/// What a step of an optimizer takes.
pub struct ToUpdate<'b, T> {
    /// Parameters.
    pub params: &'b mut [T],
    /// Their gradient.
    pub grads: &'b [T],
    /// Their state, in its first `count` places.
    pub state: [&'b mut [T]; MAX_SLOTS],
    /// How many state arrays there are.
    pub count: usize,
}
