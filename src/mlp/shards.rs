//! The shards of a batch, and the tree in which their gradients are added.
//!
//! A batch is cut into a fixed number of shards by the places of its rows alone, and the gradients of the shards are added in a
//! binary tree that the numbers of the shards alone decide: 0 + 1, 2 + 3, then (0 + 1) + (2 + 3), and so on, where a node
//! without a right neighbour goes up as it is. So the sum has the same bits, whoever computes which of the shards.
//!
//! Who computes consecutive ones keeps a stack of nodes: a new leaf goes on top, and as long as the two on top are the two
//! children of one node they are added. Of all shards that leaves the root at the bottom. Of several processes each has some nodes
//! left. Each adds up one part of the parameters: it gets that part of the nodes of all, puts them on its stack in their order, and gives
//! the sum to all. Where one process that has no shards collects the nodes of all others, it does so with all parameters.

use std::collections::VecDeque;
use std::ops::Range;

/// Some consecutive shards of each batch, for one process to compute.
#[derive(Debug, Clone)]
pub struct Shards {
    count: usize,
    /// Of each process.
    shares: Vec<Range<usize>>,
    /// Of each of this one's: how many times the two nodes on top are added once it is there.
    merges: Vec<usize>,
    depth: usize,
    rank: usize,
    moves: Vec<Move>,
    swap: Swap,
}

/// What processes do that all have shards: they give each other the nodes that they have left, part by part.
#[derive(Debug, Clone, Default)]
pub struct Swap {
    /// How many nodes each process has left.
    pub left: Vec<usize>,
    /// Which node is added to which, of those of all processes one after the other: the sum of all is then in the first one.
    pub additions: Vec<(usize, usize)>,
}

/// One process of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its number.
    pub rank: usize,
    /// How many there are.
    pub size: usize,
}

/// What a process that collects nodes, or contributes some, does with those of its stack, by their numbers from the bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// To that process.
    Send {
        /// The node.
        node: usize,
        /// The process.
        to: usize,
    },
    /// From that process.
    Receive {
        /// The node that it becomes.
        node: usize,
        /// The process.
        from: usize,
    },
    /// The next node is added to it.
    Add {
        /// The node.
        node: usize,
    },
}

/// The sum of the shards from `first` on: `2^level` of them, or those that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Node {
    first: usize,
    level: u32,
}

impl Node {
    /// The same node under the name that it has where it takes part in an addition, among so many shards.
    fn grown(mut self, count: usize) -> Self {
        while 1 << self.level < count && !self.is_right() && self.first + (1 << self.level) >= count {
            self.level += 1;
        }
        self
    }

    fn is_right(self) -> bool {
        (self.first >> self.level) & 1 == 1
    }

    /// What this one is added to, if it is a right child.
    fn left(self) -> Option<Node> {
        self.is_right().then(|| Node { first: self.first - (1 << self.level), ..self })
    }
}

/// Nodes of which none can be added to another one.
#[derive(Debug, Clone, Default)]
struct Stack(VecDeque<Node>);

impl Stack {
    /// Puts a node on top, and adds the two on top as long as they are the children of one; how many times.
    fn push(&mut self, mut node: Node, count: usize) -> usize {
        let mut merged = 0;
        while let Some(left) = node.left().filter(|left| self.0.back() == Some(left)) {
            self.0.pop_back();
            node = Node { level: left.level + 1, ..left }.grown(count);
            merged += 1;
        }
        self.0.push_back(node);
        merged
    }
}

impl Shards {
    /// All of them.
    pub fn all(count: usize) -> Self {
        Self::of(count, Place { rank: 0, size: 1 })
    }

    /// Those of one of some processes, of which there are no more than shards.
    pub fn of(count: usize, place: Place) -> Self {
        assert!(place.rank < place.size && place.size <= count, "at least one shard for each process");
        let first = |rank: usize| (rank as u128 * count as u128).div_ceil(place.size as u128) as usize;
        let shares = (0..place.size).map(|rank| first(rank)..first(rank + 1)).collect();
        let mut shards = Self::to_compute(count, shares, place.rank).0;
        shards.swap = shards.swap();
        shards
    }

    /// None of them: what the others have, each its group of consecutive ones, comes to this process, the first one.
    pub fn collected(count: usize, groups: &[Range<usize>]) -> Self {
        let shares = std::iter::once(0..0).chain(groups.iter().cloned()).collect();
        let (mut shards, mut stack) = Self::to_compute(count, shares, 0);
        for from in 1..=groups.len() {
            for node in Self::to_compute(count, shards.shares.clone(), from).1.0 {
                shards.moves.push(Move::Receive { node: stack.0.len(), from });
                shards.depth = shards.depth.max(stack.0.len() + 1);
                let merged = stack.push(node, count);
                let top = stack.0.len() - 1;
                shards.moves.extend((top..top + merged).rev().map(|node| Move::Add { node }));
            }
        }
        shards
    }

    /// Some consecutive ones, for somebody who collects them.
    pub fn contributed(count: usize, mine: Range<usize>) -> Self {
        let (mut shards, stack) = Self::to_compute(count, vec![0..0, mine], 1);
        shards.moves = (0..stack.0.len()).map(|node| Move::Send { node, to: 0 }).collect();
        shards
    }

    /// Those of a process, and what they leave on its stack.
    fn to_compute(count: usize, shares: Vec<Range<usize>>, rank: usize) -> (Self, Stack) {
        let (mut stack, mut merges, mut depth) = (Stack::default(), vec![], 1);
        for first in shares[rank].clone() {
            depth = depth.max(stack.0.len() + 1);
            merges.push(stack.push(Node { first, level: 0 }.grown(count), count));
        }
        (Shards { count, shares, merges, depth, rank, moves: vec![], swap: Swap::default() }, stack)
    }

    /// What becomes of the nodes that all processes have left.
    fn swap(&self) -> Swap {
        let (mut swap, mut stack, mut places, mut next) = (Swap::default(), Stack::default(), vec![], 0);
        for rank in 0..self.shares.len() {
            let nodes = Self::to_compute(self.count, self.shares.clone(), rank).1.0;
            swap.left.push(nodes.len());
            for node in nodes {
                places.push(next);
                next += 1;
                for _ in 0..stack.push(node, self.count) {
                    let right = places.pop().expect("the node on top");
                    swap.additions.push((places[places.len() - 1], right));
                }
            }
        }
        swap
    }

    /// Whether other processes have some of them.
    pub fn are_shared(&self) -> bool {
        self.shares.len() > 1
    }

    /// Whether this process only collects what others compute.
    pub fn are_collected(&self) -> bool {
        self.shares[self.rank].is_empty()
    }

    /// The shards of each process.
    pub fn of_processes(&self) -> &[Range<usize>] {
        &self.shares
    }

    /// The number of this process.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// What processes that all have shards do with the nodes that are left.
    pub fn swapped(&self) -> &Swap {
        &self.swap
    }

    /// What is to be done with the nodes that are left, where one process collects those of all others.
    pub fn moves(&self) -> &[Move] {
        &self.moves
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Those to compute.
    pub fn mine(&self) -> Range<usize> {
        self.shares[self.rank].clone()
    }

    /// How many times the two nodes on top are added after one of those.
    pub fn merges(&self, shard: usize) -> usize {
        self.merges[shard - self.mine().start]
    }

    /// The most nodes that are kept at once.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The most rows of a shard of a batch of so many.
    pub fn most_rows(&self, batch: usize) -> usize {
        batch.div_ceil(self.count)
    }

    /// Those of a batch from that one on, of the ones to compute, whose rows are together no more than so many; one at least.
    pub fn group(&self, first: usize, batch: &Range<usize>, most_rows: usize) -> Range<usize> {
        let fits = |end: &usize| self.rows_of(&(first..*end), batch).len() <= most_rows;
        first..(first + 2..=self.mine().end).take_while(fits).last().unwrap_or(first + 1)
    }

    /// The rows that each shard has of its own, where all batches of so many rows take theirs from those: consecutive ones.
    pub fn pieces(&self, rows: usize, batch_size: usize) -> Vec<Range<usize>> {
        let (batches, rest) = (rows / batch_size, rows % batch_size);
        let mut end = 0;
        let piece = |shard| {
            let start = end;
            end += batches * self.rows(shard, &(0..batch_size)).len() + self.rows(shard, &(0..rest)).len();
            start..end
        };
        (0..self.count).map(piece).collect()
    }

    /// The rows of a shard: as many for each, to one more or less; none for some where there are fewer rows than shards.
    pub fn rows(&self, shard: usize, batch: &Range<usize>) -> Range<usize> {
        self.rows_of(&(shard..shard + 1), batch)
    }

    /// The rows of consecutive ones.
    pub fn rows_of(&self, shards: &Range<usize>, batch: &Range<usize>) -> Range<usize> {
        let cut = |shard: usize| batch.start + (batch.len() as u128 * shard as u128 / self.count as u128) as usize;
        cut(shards.start)..cut(shards.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree as text, by its definition.
    fn tree(count: usize) -> String {
        let mut level: Vec<_> = (0..count).map(|shard| shard.to_string()).collect();
        while level.len() > 1 {
            let added =
                |pair: &[String]| if pair.len() == 2 { format!("({}+{})", pair[0], pair[1]) } else { pair[0].clone() };
            level = level.chunks(2).map(added).collect();
        }
        level.remove(0)
    }

    /// What the stack comes to.
    fn stacked(shards: &Shards) -> Vec<String> {
        let mut stack: Vec<String> = vec![];
        for shard in shards.mine() {
            stack.push(shard.to_string());
            assert!(stack.len() <= shards.depth());
            for _ in 0..shards.merges(shard) {
                let right = stack.pop().unwrap();
                let left = stack.pop().unwrap();
                stack.push(format!("({left}+{right})"));
            }
        }
        stack
    }

    #[test]
    fn the_stack_makes_the_tree() {
        assert_eq!(tree(5), "(((0+1)+(2+3))+4)");
        for count in 1..70 {
            let shards = Shards::all(count);
            assert_eq!(stacked(&shards), [tree(count)]);
            assert!(shards.depth() <= count.next_power_of_two().ilog2() as usize + 1);
        }
    }

    #[test]
    fn every_row_is_in_one_shard_and_all_are_as_large() {
        for count in [1, 2, 3, 8, 13] {
            let shards = Shards::all(count);
            for batch in [5..5, 0..1, 3..10, 100..228, 0..10_000] {
                let all: Vec<_> = (0..count).map(|shard| shards.rows(shard, &batch)).collect();
                assert_eq!(
                    all.iter().flat_map(|rows| rows.clone()).collect::<Vec<_>>(),
                    batch.clone().collect::<Vec<_>>()
                );
                let sizes = || all.iter().map(|rows| rows.len());
                assert!(sizes().max().unwrap() - sizes().min().unwrap() <= 1);
                assert_eq!(sizes().max().unwrap(), shards.most_rows(batch.len()));
            }
        }
    }

    #[test]
    fn groups_take_as_many_shards_as_fit() {
        let groups = |shards: &Shards, batch: Range<usize>, most| {
            let (mut all, mut first) = (vec![], shards.mine().start);
            while first < shards.mine().end {
                all.push(shards.group(first, &batch, most));
                first = all[all.len() - 1].end;
            }
            all
        };
        let shards = Shards::all(8);
        assert_eq!(groups(&shards, 64..128, 64), vec![0..8; 1]);
        assert_eq!(groups(&shards, 64..128, 63), [0..7, 7..8]);
        assert_eq!(groups(&shards, 0..64, 16), [0..2, 2..4, 4..6, 6..8]);
        assert_eq!(groups(&shards, 0..800, 64), (0..8).map(|shard| shard..shard + 1).collect::<Vec<_>>());
        assert_eq!(groups(&shards, 0..3, 1), [0..5, 5..7, 7..8], "shards without rows go with others");
        let second = Shards::of(8, Place { rank: 1, size: 2 });
        assert_eq!(groups(&second, 0..64, 24), [4..7, 7..8]);
        assert_eq!(groups(&Shards::collected(4, &[0..2, 2..4]), 0..64, 8), []);
    }

    #[test]
    fn pieces_hold_what_batches_take() {
        for count in [1, 2, 3, 8, 13] {
            let shards = Shards::all(count);
            for (rows, batch_size) in [(0, 4), (1, 1), (7, 3), (1000, 64), (1000, 1000), (999, 100)] {
                let pieces = shards.pieces(rows, batch_size);
                assert_eq!(
                    pieces.iter().flat_map(|piece| piece.clone()).collect::<Vec<_>>(),
                    (0..rows).collect::<Vec<_>>()
                );
                for (shard, piece) in pieces.iter().enumerate() {
                    let batches = (0..rows).step_by(batch_size).map(|start| start..rows.min(start + batch_size));
                    assert_eq!(batches.map(|batch| shards.rows(shard, &batch).len()).sum::<usize>(), piece.len());
                }
            }
        }
    }

    /// What each of several processes makes of its part of the nodes that all have left.
    fn met(count: usize, size: usize) -> String {
        let all: Vec<_> = (0..size).map(|rank| Shards::of(count, Place { rank, size })).collect();
        assert!(all.iter().flat_map(|shards| shards.mine()).eq(0..count));
        assert!(all.iter().enumerate().all(|(rank, shards)| shards.of_processes()[rank] == shards.mine()));
        let left: Vec<_> = all.iter().map(stacked).collect();
        let Swap { left: lengths, additions } = all[0].swapped();
        assert!(left.iter().map(Vec::len).eq(lengths.iter().copied()));
        assert!(all.iter().all(|shards| shards.swapped().additions == *additions));
        let mut nodes: Vec<_> = left.into_iter().flatten().collect();
        for &(sum, term) in additions {
            nodes[sum] = format!("({}+{})", nodes[sum], nodes[term]);
        }
        nodes.remove(0)
    }

    /// What one process that collects the nodes of groups comes to.
    fn collected(count: usize, groups: &[Range<usize>]) -> String {
        let shards = Shards::collected(count, groups);
        assert!(shards.are_collected() && shards.mine().is_empty());
        let of_group = |group: &Range<usize>| {
            let shards = Shards::contributed(count, group.clone());
            let nodes = stacked(&shards);
            assert_eq!(shards.moves().len(), nodes.len());
            nodes.into_iter()
        };
        let mut sent: Vec<_> = groups.iter().map(of_group).collect();
        let mut nodes = vec![String::new(); shards.depth()];
        for step in shards.moves() {
            match *step {
                Move::Receive { node, from } => nodes[node] = sent[from - 1].next().unwrap(),
                Move::Add { node } => nodes[node] = format!("({}+{})", nodes[node], nodes[node + 1]),
                Move::Send { .. } => panic!("nobody to send to"),
            }
        }
        assert!(sent.iter_mut().all(|nodes| nodes.next().is_none()), "nodes that nobody takes");
        nodes.remove(0)
    }

    #[test]
    fn one_process_collects_the_same_tree() {
        for count in 1..34 {
            for size in 1..=count {
                let groups = Shards::of(count, Place { rank: 0, size }).of_processes().to_vec();
                assert_eq!(collected(count, &groups), tree(count), "{count} shards in {size} groups");
            }
        }
        assert_eq!(collected(7, &[0..1, 1..6, 6..7]), tree(7));
    }

    #[test]
    fn processes_make_the_same_tree() {
        for count in 1..34 {
            for size in 1..=count {
                assert_eq!(met(count, size), tree(count), "{count} shards of {size} processes");
            }
        }
        assert!(Shards::all(7).moves().is_empty() && !Shards::all(7).are_shared());
    }
}
