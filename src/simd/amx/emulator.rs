//! The instructions of tiles on a processor that has none, for tests: it reports each of them as illegal, and what Intel's manual
//! (Software Developer's Manual, volume 2, under their names) says of it happens here.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::simd::{Level, level, set_level, switch_levels};

static AT_WORK: AtomicBool = AtomicBool::new(false);
static FORGETFUL: AtomicBool = AtomicBool::new(false);

/// Whether tests run with tiles that the processor lacks.
pub fn is_at_work() -> bool {
    AT_WORK.load(Ordering::Relaxed)
}

/// Whether the tiles are lost now and then, as by a system that does not keep them.
pub fn be_forgetful(forgetful: bool) {
    FORGETFUL.store(forgetful, Ordering::Relaxed);
}

/// Runs a test at the level that has tiles: the processor's own, where there are any. False where not even their numbers can be
/// rounded, or the system is one on which nobody has them.
pub fn with_tiles(test: impl FnOnce()) -> bool {
    let _turn = switch_levels();
    let before = level();
    if !super::are_there() && system::catches_illegal_instructions() {
        AT_WORK.store(true, Ordering::Relaxed);
    }
    let there = set_level(Level::Amx);
    if there {
        // Not set back where the test panics: others then say what they run at, and this one has failed anyway.
        test();
        set_level(before);
    }
    AT_WORK.store(false, Ordering::Relaxed);
    there
}

const ROWS: usize = 16;
const BYTES: usize = 64;

/// Eight tiles and their shapes: rows, and bytes of a row.
struct Tiles {
    set: bool,
    shapes: [(usize, usize); 8],
    tiles: [[[u8; BYTES]; ROWS]; 8],
}

const NONE: Tiles = Tiles { set: false, shapes: [(0, 0); 8], tiles: [[[0; BYTES]; ROWS]; 8] };

thread_local! {
    static OF_THREAD: UnsafeCell<Tiles> = const { UnsafeCell::new(NONE) };
}

/// One of the instructions, with its tiles, the memory that it is about, and the distance of rows there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Instruction {
    Configure { from: usize },
    Release,
    Load { tile: usize, at: usize, apart: usize },
    Store { tile: usize, at: usize, apart: usize },
    Multiply { sums: usize, a: usize, b: usize },
}

impl Tiles {
    /// Does what the instruction says; None where the processor would not.
    ///
    /// # Safety
    /// The memory must be there.
    unsafe fn run(&mut self, instruction: Instruction) -> Option<()> {
        match instruction {
            Instruction::Configure { from } => {
                // SAFETY: the caller's promise.
                let read: [u8; 64] = unsafe { (from as *const [u8; 64]).read_unaligned() };
                let bytes = |tile: usize| usize::from(u16::from_le_bytes([read[16 + 2 * tile], read[17 + 2 * tile]]));
                let shapes: [(usize, usize); 8] = std::array::from_fn(|tile| (read[48 + tile].into(), bytes(tile)));
                let reserved = read[1..16].iter().chain(&read[32..48]).chain(&read[56..]).all(|byte| *byte == 0);
                let possible = shapes.iter().all(|(rows, bytes)| {
                    (*rows <= ROWS && *bytes <= BYTES && bytes.is_multiple_of(4)) && (*rows == 0) == (*bytes == 0)
                });
                if read[0] != 1 || !reserved || !possible {
                    return None;
                }
                *self = Tiles { set: true, shapes, ..NONE };
            }
            Instruction::Release => *self = NONE,
            _ if !self.set => return None,
            Instruction::Load { tile, at, apart } => {
                let (rows, bytes) = self.shapes[tile];
                self.tiles[tile] = [[0; BYTES]; ROWS];
                for (row, line) in self.tiles[tile][..rows].iter_mut().enumerate() {
                    let from = at.wrapping_add(row.wrapping_mul(apart)) as *const u8;
                    // SAFETY: as above.
                    unsafe { from.copy_to_nonoverlapping(line.as_mut_ptr(), bytes) };
                }
            }
            Instruction::Store { tile, at, apart } => {
                let (rows, bytes) = self.shapes[tile];
                for (row, line) in self.tiles[tile][..rows].iter().enumerate() {
                    let to = at.wrapping_add(row.wrapping_mul(apart)) as *mut u8;
                    // SAFETY: as above.
                    unsafe { line.as_ptr().copy_to_nonoverlapping(to, bytes) };
                }
            }
            Instruction::Multiply { sums, a, b } => return self.multiply(sums, a, b),
        }
        Some(())
    }

    fn multiply(&mut self, sums: usize, a: usize, b: usize) -> Option<()> {
        let ((rows, across), (a_rows, a_bytes), (b_rows, b_bytes)) =
            (self.shapes[sums], self.shapes[a], self.shapes[b]);
        if FORGETFUL.load(Ordering::Relaxed) {
            self.tiles[a][0] = [0; BYTES];
        }
        if sums == a || sums == b || a == b || rows != a_rows || across != b_bytes || a_bytes / 4 != b_rows {
            return None;
        }
        let number = |half: &[u8]| f32::from_bits(u32::from(u16::from_le_bytes([half[0], half[1]])) << 16);
        for row in 0..rows {
            for col in (0..across).step_by(4) {
                let mut apart = [0.0f32; 2];
                for k in 0..b_rows {
                    for (half, sum) in apart.iter_mut().enumerate() {
                        let x = number(&self.tiles[a][row][4 * k + 2 * half..]);
                        let y = number(&self.tiles[b][k][col + 2 * half..]);
                        *sum = flushed(flushed(x).mul_add(flushed(y), *sum));
                    }
                }
                let place = &mut self.tiles[sums][row][col..col + 4];
                let before = f32::from_le_bytes([place[0], place[1], place[2], place[3]]);
                let sum = flushed(flushed(before) + flushed(apart[0] + apart[1]));
                place.copy_from_slice(&sum.to_le_bytes());
            }
        }
        Some(())
    }
}

/// What is smaller than normal numbers is zero.
fn flushed(x: f32) -> f32 {
    if x.is_subnormal() { 0f32.copysign(x) } else { x }
}

/// The instruction that begins with these bytes, and its length. Registers are numbered as the processor does.
fn decoded(code: &[u8], register: impl Fn(usize) -> usize) -> Option<(Instruction, usize)> {
    let &[0xc4, second, third, opcode, modes, ref rest @ ..] = code else {
        return None;
    };
    // Three-byte VEX: the map 0F 38, no wide operands, 128 bits.
    let (of_reg, of_index, of_base) = (second & 0x80 == 0, second & 0x40 == 0, second & 0x20 == 0);
    if second & 0x1f != 2 || third & 0x84 != 0 {
        return None;
    }
    let (prefix, third_tile) = (third & 3, usize::from(!third >> 3 & 15));
    let (mode, reg, rm) = (modes >> 6, usize::from(modes >> 3 & 7), usize::from(modes & 7));
    if mode == 3 {
        let instruction = match (opcode, prefix, modes) {
            (0x49, 0, 0xc0) => Instruction::Release,
            (0x5c, 2, _) if !of_reg && third_tile < 8 => Instruction::Multiply { sums: reg, a: rm, b: third_tile },
            _ => return None,
        };
        return Some((instruction, 5));
    }
    let high = |set: bool| if set { 8 } else { 0 };
    let mut length = 5;
    let (base, apart) = if rm == 4 {
        let &sib = rest.first()?;
        length += 1;
        let index = usize::from(sib >> 3 & 7) + high(of_index);
        let apart = if index == 4 { 0 } else { register(index) << (sib >> 6) };
        (usize::from(sib & 7) + high(of_base), apart)
    } else {
        (rm + high(of_base), 0)
    };
    if mode == 0 && base & 7 == 5 {
        // No base: a place beside the instruction, or a fixed one.
        return None;
    }
    let rest = &code[length..];
    let beyond = match mode {
        0 => 0,
        1 => rest.first()?.cast_signed() as isize,
        _ => i32::from_le_bytes(rest.get(..4)?.try_into().ok()?) as isize,
    };
    length += [0, 1, 4][usize::from(mode)];
    let at = register(base).wrapping_add_signed(beyond);
    let instruction = match (opcode, prefix) {
        (0x49, 0) if reg == 0 => Instruction::Configure { from: at },
        (0x4b, 3) if rm == 4 && !of_reg => Instruction::Load { tile: reg, at, apart },
        (0x4b, 2) if rm == 4 && !of_reg => Instruction::Store { tile: reg, at, apart },
        _ => return None,
    };
    Some((instruction, length))
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod system {
    use std::ffi::{c_int, c_void};
    use std::sync::OnceLock;

    use super::{OF_THREAD, decoded};

    /// Where the C library has the general registers, by the processor's numbers.
    const REGISTERS: [c_int; 16] = [
        libc::REG_RAX,
        libc::REG_RCX,
        libc::REG_RDX,
        libc::REG_RBX,
        libc::REG_RSP,
        libc::REG_RBP,
        libc::REG_RSI,
        libc::REG_RDI,
        libc::REG_R8,
        libc::REG_R9,
        libc::REG_R10,
        libc::REG_R11,
        libc::REG_R12,
        libc::REG_R13,
        libc::REG_R14,
        libc::REG_R15,
    ];
    /// The most bytes of an instruction.
    const LONGEST: usize = 15;

    /// Has illegal instructions come here, from now on.
    pub fn catches_illegal_instructions() -> bool {
        static DONE: OnceLock<bool> = OnceLock::new();
        *DONE.get_or_init(|| {
            // SAFETY: all zeros are an action that blocks nothing; the handler is of the kind that the flag says.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = on_illegal_instruction as *const () as usize;
                action.sa_flags = libc::SA_SIGINFO;
                libc::sigaction(libc::SIGILL, &raw const action, std::ptr::null_mut()) == 0
            }
        })
    }

    extern "C" fn on_illegal_instruction(_signal: c_int, _info: *mut libc::siginfo_t, context: *mut c_void) {
        // SAFETY: the system gives such a handler the context of the thread, and code does not end with this instruction. The cell is
        // the thread's own, and this handler its only user.
        unsafe {
            let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
            let code = std::slice::from_raw_parts(registers[libc::REG_RIP as usize] as usize as *const u8, LONGEST);
            let found = decoded(code, |number| registers[REGISTERS[number] as usize] as usize);
            let done = found.and_then(|(instruction, length)| {
                OF_THREAD.with(|tiles| (*tiles.get()).run(instruction)).map(|()| length as i64)
            });
            match done {
                Some(length) => registers[libc::REG_RIP as usize] += length,
                // Somebody else's, or a wrong one: it is met again, without this handler.
                None => {
                    libc::signal(libc::SIGILL, libc::SIG_DFL);
                }
            }
        }
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod system {
    pub fn catches_illegal_instructions() -> bool {
        false
    }
}

#[test]
fn instructions_are_what_an_assembler_makes_of_them() {
    use Instruction::*;
    let register = |number: usize| 1000 * (number + 1);
    let all: [(&[u8], Instruction); 7] = [
        // ldtilecfg [rax]; tilerelease
        (&[0xc4, 0xe2, 0x78, 0x49, 0x00], Configure { from: 1000 }),
        (&[0xc4, 0xe2, 0x78, 0x49, 0xc0], Release),
        // tileloadd tmm6, [rcx + rdx*1]; tileloadd tmm7, [r8 + r9*1 + 64]; tileloadd tmm0, [rax + rbx*2 - 1024]
        (&[0xc4, 0xe2, 0x7b, 0x4b, 0x34, 0x11], Load { tile: 6, at: 2000, apart: 3000 }),
        (&[0xc4, 0x82, 0x7b, 0x4b, 0x7c, 0x08, 0x40], Load { tile: 7, at: 9064, apart: 10000 }),
        (
            &[0xc4, 0xe2, 0x7b, 0x4b, 0x84, 0x58, 0, 0xfc, 0xff, 0xff],
            Load { tile: 0, at: usize::MAX - 23, apart: 8000 },
        ),
        // tilestored [rsi + rdi*1], tmm3
        (&[0xc4, 0xe2, 0x7a, 0x4b, 0x1c, 0x3e], Store { tile: 3, at: 7000, apart: 8000 }),
        // tdpbf16ps tmm1, tmm4, tmm7
        (&[0xc4, 0xe2, 0x42, 0x5c, 0xcc], Multiply { sums: 1, a: 4, b: 7 }),
    ];
    for (code, expected) in all {
        let mut followed = code.to_vec();
        followed.extend([0xc3; 10]);
        assert_eq!(decoded(&followed, register), Some((expected, code.len())), "{code:x?}");
    }
}
