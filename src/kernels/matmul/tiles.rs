//! One tile of a product: its sums stay in registers.

use crate::buffer::LINE;
use crate::simd::{Vector, prefetch};

/// Rows of `a`: the number of row r at inner index p is at `ptr + r * row + p * col`, where one of the strides is 1.
#[derive(Clone, Copy)]
pub struct Strip<T> {
    pub ptr: *const T,
    pub row: usize,
    pub col: usize,
}

/// Columns of `b`: `count` rows of whole registers from `ptr`, `stride` apart.
#[derive(Clone, Copy)]
pub struct Panel<T> {
    pub ptr: *const T,
    pub stride: usize,
    pub count: usize,
}

/// The lowest tiles that call to the caches what is used later: of lower ones, those of small products, nothing is far.
pub const CALLING: usize = 6;
/// How many inner indices a tile looks ahead in its columns of `b`. They are in the first cache only as long as nothing else
/// drives them out, such as a second thread of the same core.
const AHEAD: usize = 16;

/// What a tile does with the columns of `b` besides: nothing.
pub const READ: bool = false;
/// It packs them for the tiles to come: its registers hold them anyway, and it has stores to spare.
pub const PACK: bool = true;

/// Rows of whole registers, `stride` apart: what the sums of a tile begin with, or where they go.
#[derive(Clone, Copy)]
pub struct Rows<P> {
    pub ptr: P,
    pub stride: usize,
}

/// What is to be called to the caches while a tile is computed, register by register.
#[derive(Clone, Copy)]
pub struct Calls<T> {
    /// Where the next tile goes.
    pub output: Option<*const T>,
    /// Some of a panel to come: runs of so many registers, `stride` apart.
    pub run: *const T,
    pub stride: usize,
    pub length: usize,
    /// How many of them, from which one of the first run on.
    pub count: usize,
    pub first: usize,
}

impl<T> Calls<T> {
    /// Nothing.
    pub const NONE: Self = Calls { output: None, run: std::ptr::null(), stride: 0, length: 0, count: 0, first: 0 };

    /// Calls the next so many registers of the panel.
    #[inline(always)]
    fn panel<V: Vector<Elem = T>>(&mut self, count: usize) {
        for _ in 0..count {
            prefetch(self.run.wrapping_add(self.first * V::LANES));
            self.first += 1;
            if self.first == self.length {
                (self.run, self.first) = (self.run.wrapping_add(self.stride), 0);
            }
        }
        self.count -= count;
    }
}

/// The numbers of a strip of one inner index lie side by side: what that spares the loop is to compute addresses.
pub const SIDE_BY_SIDE: u8 = 0;
/// Those of a row do.
pub const BY_ROWS: u8 = 1;

/// R rows by N registers.
///
/// # Safety
/// As for [`tile_and_pack`], which packs nothing here.
#[inline(always)]
pub unsafe fn tile<V: Vector, const R: usize, const N: usize, const FORM: u8>(
    strip: Strip<V::Elem>,
    panel: Panel<V::Elem>,
    begin: Rows<*const V::Elem>,
    to: Rows<*mut V::Elem>,
    calls: Calls<V::Elem>,
) {
    // SAFETY: the caller's promise.
    unsafe { tile_and_pack::<V, R, N, FORM, READ>(strip, panel, std::ptr::null_mut(), begin, to, calls) };
}

/// R rows by N registers; the panel is packed besides, where that is asked for.
///
/// # Safety
/// The strip, of that form, the panel and what the sums begin with must be readable, `to` writable, for the whole tile,
/// and `packed` for the panel, row after row, where it is used.
#[inline(always)]
pub unsafe fn tile_and_pack<V: Vector, const R: usize, const N: usize, const FORM: u8, const PACKS: bool>(
    strip: Strip<V::Elem>,
    panel: Panel<V::Elem>,
    mut packed: *mut V::Elem,
    begin: Rows<*const V::Elem>,
    to: Rows<*mut V::Elem>,
    mut calls: Calls<V::Elem>,
) {
    let (row, col) = if FORM == SIDE_BY_SIDE { (1, strip.col) } else { (strip.row, 1) };
    // SAFETY: the caller vouches for the memory.
    unsafe {
        // Loops, since a closure is not sure to be compiled for the instruction set.
        let mut sums = [[V::splat(V::Elem::default()); N]; R];
        for (r, sums) in sums.iter_mut().enumerate() {
            for (n, sum) in sums.iter_mut().enumerate() {
                *sum = V::load(begin.ptr.add(r * begin.stride + n * V::LANES));
            }
        }
        let (mut a, mut b) = (strip.ptr, panel.ptr);
        // Row by row at an even pace: many calls at once would keep the product's own loads waiting.
        let (mut left, mut breaks) = (panel.count, if calls.output.is_some() || calls.count > 0 { R } else { 0 });
        let pace = (left / (R + 1)).max(1);
        loop {
            let now = if breaks == 0 { left } else { pace.min(left) };
            for _ in 0..now {
                let mut across = [V::splat(V::Elem::default()); N];
                for (n, across) in across.iter_mut().enumerate() {
                    *across = V::load(b.add(n * V::LANES));
                    if PACKS {
                        across.store(packed.add(n * V::LANES));
                    }
                }
                if PACKS {
                    packed = packed.add(N * V::LANES);
                }
                if R >= CALLING {
                    for n in (0..N * V::LANES).step_by(LINE / size_of::<V::Elem>()) {
                        prefetch(b.wrapping_add(AHEAD * panel.stride + n));
                    }
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let x = V::splat(*a.add(r * row));
                    for (sum, y) in sums.iter_mut().zip(across) {
                        *sum = x.fma(y, *sum);
                    }
                }
                // After the last one they may point beyond their matrices.
                b = b.wrapping_add(panel.stride);
                a = a.wrapping_add(col);
            }
            left -= now;
            if left == 0 {
                break;
            }
            calls.panel::<V>(calls.count / breaks);
            breaks -= 1;
            if let Some(output) = calls.output {
                for n in 0..N {
                    prefetch(output.wrapping_add(breaks * to.stride + n * V::LANES));
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            for (n, sum) in sums.iter().enumerate() {
                sum.store(to.ptr.add(r * to.stride + n * V::LANES));
            }
        }
    }
}
