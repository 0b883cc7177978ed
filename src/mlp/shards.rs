//! The shards of a batch, and the tree in which their gradients are added.
//!
//! A batch is cut into a fixed number of shards by the places of its rows alone, and the gradients of the shards are added in a
//! binary tree that the numbers of the shards alone decide: 0 + 1, 2 + 3, then (0 + 1) + (2 + 3), and so on, where a node
//! without a right neighbour goes up as it is. So the sum has the same bits, whoever computes which of the shards.
//!
//! Who computes consecutive ones keeps a stack of nodes: a new leaf goes on top, and as long as the two on top are the two
//! children of one node they are added. Of all shards that leaves the root at the bottom. Of several processes each has some nodes
//! left: a right child whose left neighbour another one has is sent there, from the bottom of the stack, and what comes from a right
//! neighbour is added to the top. All go through the tree level by level and from left to right, so that nobody waits for a process that
//! waits for it.

use std::collections::VecDeque;
use std::ops::Range;

/// Some consecutive shards of each batch, for one process to compute.
#[derive(Debug, Clone)]
pub struct Shards {
    count: usize,
    mine: Range<usize>,
    /// Of each of those: how many times the two nodes on top are added once it is there.
    merges: Vec<usize>,
    depth: usize,
    place: Place,
    moves: Vec<Move>,
}

/// One process of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its number.
    pub rank: usize,
    /// How many there are.
    pub size: usize,
}

/// What a process does with the nodes of its stack, by their numbers from the bottom, once it has gone through its shards.
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

impl Shards {
    /// All of them.
    pub fn all(count: usize) -> Self {
        Self::of(count, Place { rank: 0, size: 1 })
    }

    /// Those of one of some processes, of which there are no more than shards.
    pub fn of(count: usize, place: Place) -> Self {
        assert!(place.rank < place.size && place.size <= count, "at least one shard for each process");
        let mine = shards_of(place.rank, place.size, count);
        let (mut stack, mut merges, mut depth) = (VecDeque::new(), vec![], 0);
        for first in mine.clone() {
            let (mut node, mut merged) = (Node { first, level: 0 }.grown(count), 0);
            depth = depth.max(stack.len() + 1);
            while let Some(left) = node.left().filter(|left| stack.back() == Some(left)) {
                stack.pop_back();
                node = Node { level: left.level + 1, ..left }.grown(count);
                merged += 1;
            }
            stack.push_back(node);
            merges.push(merged);
        }
        let mut shards = Shards { count, mine, merges, depth, place, moves: vec![] };
        shards.meet_others(stack);
        shards
    }

    /// Notes what becomes of the nodes that are left, going through all additions of the tree.
    fn meet_others(&mut self, mut stack: VecDeque<Node>) {
        let (rank, mut bottom) = (self.place.rank, 0);
        let levels = (0..usize::BITS).take_while(|level| 1 << level < self.count);
        let lefts =
            levels.flat_map(|level| (0..self.count).step_by(2 << level).map(move |first| Node { first, level }));
        for left in lefts {
            let right = Node { first: left.first + (1 << left.level), ..left };
            if right.first >= self.count {
                continue;
            }
            let (of_left, of_right) = (self.owner(left.first), self.owner(right.first));
            if of_right == rank && of_left != rank {
                assert_eq!(stack.pop_front(), Some(right));
                self.moves.push(Move::Send { node: bottom, to: of_left });
                bottom += 1;
                continue;
            }
            if of_right != rank && of_left == rank {
                assert_eq!(stack.back(), Some(&left));
                let node = bottom + stack.len();
                self.depth = self.depth.max(node + 1);
                self.moves.push(Move::Receive { node, from: of_right });
                stack.push_back(right);
            }
            if of_left == rank && stack.back() == Some(&right) {
                stack.pop_back();
                let sum = stack.pop_back().map(|left| Node { level: left.level + 1, ..left }.grown(self.count));
                self.moves.push(Move::Add { node: bottom + stack.len() });
                stack.extend(sum);
            }
        }
    }

    fn owner(&self, shard: usize) -> usize {
        (shard as u128 * self.place.size as u128 / self.count as u128) as usize
    }

    /// Whether other processes have some of them.
    pub fn are_shared(&self) -> bool {
        self.place.size > 1
    }

    /// The processes.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The shards of a process.
    pub fn of_process(&self, rank: usize) -> Range<usize> {
        shards_of(rank, self.place.size, self.count)
    }

    /// What is to be done with the nodes that are left, until the first process has the sum of all shards in its first node.
    pub fn moves(&self) -> &[Move] {
        &self.moves
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Those to compute.
    pub fn mine(&self) -> Range<usize> {
        self.mine.clone()
    }

    /// How many times the two nodes on top are added after one of those.
    pub fn merges(&self, shard: usize) -> usize {
        self.merges[shard - self.mine.start]
    }

    /// The most nodes that are kept at once.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The most rows of a shard of a batch of so many.
    pub fn most_rows(&self, batch: usize) -> usize {
        batch.div_ceil(self.count)
    }

    /// The rows of a shard: as many for each, to one more or less; none for some where there are fewer rows than shards.
    pub fn rows(&self, shard: usize, batch: &Range<usize>) -> Range<usize> {
        let cut = |shard: usize| batch.start + (batch.len() as u128 * shard as u128 / self.count as u128) as usize;
        cut(shard)..cut(shard + 1)
    }
}

/// The shards of one of so many processes.
fn shards_of(rank: usize, size: usize, count: usize) -> Range<usize> {
    let first = |rank: usize| (rank as u128 * count as u128).div_ceil(size as u128) as usize;
    first(rank)..first(rank + 1)
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

    /// Lets processes go through their moves, where who sends waits for who receives; what the first one comes to.
    fn met(count: usize, size: usize) -> String {
        let all: Vec<_> = (0..size).map(|rank| Shards::of(count, Place { rank, size })).collect();
        assert!(all.iter().flat_map(|shards| shards.mine()).eq(0..count));
        assert!(all.iter().enumerate().all(|(rank, shards)| shards.of_process(rank) == shards.mine()));
        let mut nodes: Vec<Vec<String>> = all.iter().map(|shards| vec![String::new(); shards.depth()]).collect();
        for (nodes, shards) in nodes.iter_mut().zip(&all) {
            stacked(shards).into_iter().zip(nodes).for_each(|(from, to)| *to = from);
        }
        let mut next = vec![0; size];
        loop {
            let before = next.clone();
            for rank in 0..size {
                match all[rank].moves().get(next[rank]) {
                    Some(&Move::Add { node }) => {
                        nodes[rank][node] = format!("({}+{})", nodes[rank][node], nodes[rank][node + 1])
                    }
                    Some(&Move::Send { node, to }) => match all[to].moves().get(next[to]) {
                        Some(&Move::Receive { node: place, from }) if from == rank => {
                            nodes[to][place] = nodes[rank][node].clone();
                            next[to] += 1;
                        }
                        _ => continue,
                    },
                    _ => continue,
                }
                next[rank] += 1;
            }
            if next == before {
                assert!(
                    next.iter().zip(&all).all(|(next, shards)| *next == shards.moves().len()),
                    "they wait for ever"
                );
                return nodes[0][0].clone();
            }
        }
    }

    #[test]
    fn processes_make_the_same_tree_and_nobody_waits_for_ever() {
        for count in 1..34 {
            for size in 1..=count {
                assert_eq!(met(count, size), tree(count), "{count} shards of {size} processes");
            }
        }
        assert!(Shards::all(7).moves().is_empty() && !Shards::all(7).are_shared());
    }
}
