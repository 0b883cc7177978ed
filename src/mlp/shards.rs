//! The shards of a batch, and the tree in which their gradients are added.
//!
//! A batch is cut into a fixed number of shards by the places of its rows alone, and the gradients of the shards are added in a
//! binary tree that the numbers of the shards alone decide: 0 + 1, 2 + 3, then (0 + 1) + (2 + 3), and so on, where a node
//! without a right neighbour goes up as it is. So the sum has the same bits, whoever computes which of the shards.
//!
//! Who computes consecutive ones keeps a stack of nodes: a new leaf goes on top, and as long as the two on top are the two
//! children of one node they are added. Of all shards that leaves the root at the bottom.

use std::ops::Range;

/// Some consecutive shards of each batch, for one process to compute.
#[derive(Debug, Clone)]
pub struct Shards {
    count: usize,
    mine: Range<usize>,
    /// Of each of those: how many times the two nodes on top are added once it is there.
    merges: Vec<usize>,
    depth: usize,
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
        Self::some(count, 0..count)
    }

    /// These of so many.
    fn some(count: usize, mine: Range<usize>) -> Self {
        let (mut stack, mut merges, mut depth) = (vec![], vec![], 0);
        for first in mine.clone() {
            let (mut node, mut merged) = (Node { first, level: 0 }.grown(count), 0);
            depth = depth.max(stack.len() + 1);
            while let Some(left) = node.left().filter(|left| stack.last() == Some(left)) {
                stack.pop();
                node = Node { level: left.level + 1, ..left }.grown(count);
                merged += 1;
            }
            stack.push(node);
            merges.push(merged);
        }
        Shards { count, mine, merges, depth }
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
}
