//! The allocator of the C library: the system's, and a reserve for when the system has no memory left.
//!
//! Most Rust code uses infallible allocation: if a small allocation fails (a name, an error's text), the process is
//! aborted. A library must not do that to its host. So small requests that the system refuses are served from a block
//! in the library itself, which uses no memory until it is touched. Large requests fail, and so do the fallible
//! allocations of [`memory`], which turn the failure into an error; the call then soon ends with `OutOfMemory`. A call
//! does not start unless half of the reserve is free, or the system has memory again.
//!
//! The reserve is two sets of equal units, 64 to a word of flags, one flag for each; an allocation is a run of adjacent
//! units of one word. Flags are changed by one atomic instruction each, so there is no lock that a signal handler or a
//! forked child could find held.
//!
//! A program can have only one `#[global_allocator]`. A Rust program with its own builds without the feature `reserve`.

use crate::memory;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Units a word of flags stands for.
const WORD: usize = 64;
/// Bytes of a small unit: requests up to 4 KiB are served from these.
const SMALL: usize = 64;
/// Bytes of a large one: up to 128 KiB, twice the largest buffer that is allocated infallibly.
const LARGE: usize = 2048;

/// Memory in equal units.
#[repr(C, align(4096))]
struct Units<const UNIT: usize, const WORDS: usize> {
    memory: UnsafeCell<[[[u8; UNIT]; WORD]; WORDS]>,
    /// A bit is 1 while its unit is allocated.
    taken: [AtomicU64; WORDS],
}

// SAFETY: `taken` makes sure that a unit has one owner at a time.
unsafe impl<const UNIT: usize, const WORDS: usize> Sync for Units<UNIT, WORDS> {}

/// The reserve: 2 MiB.
struct Reserve {
    small: Units<SMALL, 256>,
    large: Units<LARGE, 8>,
    /// Whether anything was ever served from here.
    touched: AtomicBool,
}

static RESERVE: Reserve = Reserve { small: Units::new(), large: Units::new(), touched: AtomicBool::new(false) };

/// The flags of `count` units, from 1 to 64, from bit 0 on.
fn run(count: usize) -> u64 {
    u64::MAX >> (WORD - count)
}

/// The lowest bit from which on `count` bits, from 1 to 64, are 0.
fn gap(taken: u64, count: usize) -> Option<usize> {
    let mut begins = !taken; // bits from which on one is free, then two, ...
    for _ in 1..count {
        begins &= begins >> 1;
    }
    (begins != 0).then_some(begins.trailing_zeros() as usize)
}

impl<const UNIT: usize, const WORDS: usize> Units<UNIT, WORDS> {
    const fn new() -> Self {
        const { assert!(UNIT.is_power_of_two() && UNIT <= 4096) }; // so that each is aligned to its size
        Units { memory: UnsafeCell::new([[[0; UNIT]; WORD]; WORDS]), taken: [const { AtomicU64::new(0) }; WORDS] }
    }

    /// Allocates for `layout`; null if it does not fit into one word's units, or none are free.
    fn take(&self, layout: Layout) -> *mut u8 {
        let count = layout.size().div_ceil(UNIT).max(1);
        if count > WORD || layout.align() > UNIT {
            return std::ptr::null_mut();
        }
        for (word, taken) in self.taken.iter().enumerate() {
            let mut now = taken.load(Ordering::Relaxed);
            while let Some(first) = gap(now, count) {
                // Acquire: the last owner's accesses are complete.
                match taken.compare_exchange_weak(now, now | run(count) << first, Ordering::Acquire, Ordering::Relaxed)
                {
                    Ok(_) => return self.memory.get().cast::<u8>().wrapping_add((word * WORD + first) * UNIT),
                    Err(other) => now = other,
                }
            }
        }
        std::ptr::null_mut()
    }

    /// Frees a block of `layout`, if it came from here.
    fn give_back(&self, block: *mut u8, layout: Layout) -> bool {
        let offset = (block as usize).wrapping_sub(self.memory.get() as usize);
        if offset >= size_of_val(&self.memory) {
            return false;
        }
        let (unit, count) = (offset / UNIT, layout.size().div_ceil(UNIT).max(1));
        self.taken[unit / WORD].fetch_and(!(run(count) << (unit % WORD)), Ordering::Release);
        true
    }

    /// How many units are free.
    fn free(&self) -> usize {
        self.taken.iter().map(|taken| taken.load(Ordering::Relaxed).count_zeros() as usize).sum()
    }

    fn is_half_free(&self) -> bool {
        self.free() >= WORDS * WORD / 2
    }
}

impl Reserve {
    /// Serves a request that the system has refused; null when it is too large, or nothing is left.
    #[cold]
    fn take(&self, layout: Layout) -> *mut u8 {
        memory::note_shortage();
        self.touched.store(true, Ordering::Relaxed);
        let block = self.small.take(layout);
        if block.is_null() { self.large.take(layout) } else { block }
    }

    /// Whether a block came from here.
    fn owns(&self, block: *mut u8) -> bool {
        (block as usize).wrapping_sub(&raw const *self as usize) < size_of::<Self>()
    }

    #[cold]
    fn give_back(&self, block: *mut u8, layout: Layout) {
        let _ = self.small.give_back(block, layout) || self.large.give_back(block, layout);
    }
}

/// Whether a call may start: there is room for its infallible allocations.
pub fn is_ready() -> bool {
    let Reserve { small, large, touched } = &RESERVE;
    !touched.load(Ordering::Relaxed) || (small.is_half_free() && large.is_half_free()) || the_system_has_memory()
}

#[cold]
fn the_system_has_memory() -> bool {
    let mut probe = Vec::<u8>::new();
    let found = probe.try_reserve_exact(size_of::<Reserve>()).is_ok(); // too large to be served from the reserve
    black_box(&mut probe);
    found
}

/// The system's allocator, with the reserve behind it.
struct Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

// SAFETY: a block comes from the system's allocator, or from `Units`, which allocates each unit to one owner at a time,
// aligned to a unit's size, which is no less than what was asked for; it goes back to where it came from. Nothing here
// unwinds.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's.
        let block = unsafe { System.alloc(layout) };
        if block.is_null() { RESERVE.take(layout) } else { block }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's.
        let block = unsafe { System.alloc_zeroed(layout) };
        if !block.is_null() {
            return block;
        }
        let block = RESERVE.take(layout);
        if !block.is_null() {
            // SAFETY: it is as large as the layout says, and nobody else's.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if RESERVE.owns(block) {
            return RESERVE.give_back(block, layout);
        }
        // SAFETY: the caller's; it is not the reserve's.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's: with the alignment it makes a layout.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        if RESERVE.owns(block) {
            // SAFETY: the caller's, and the new block is one for that layout.
            return unsafe { self.replace(block, layout, self.alloc(new), new) };
        }
        // SAFETY: the caller's; it is not the reserve's.
        let moved = unsafe { System.realloc(block, layout, new_size) };
        match moved.is_null() {
            false => moved,
            true if new_size <= layout.size() => block, // it is large enough; the system's free needs no size
            // SAFETY: the caller's, and the new block is one for that layout.
            true => unsafe { self.replace(block, layout, RESERVE.take(new), new) },
        }
    }
}

impl Allocator {
    /// Moves what is in `block` to `to`, and gives `block` back; does nothing for a null `to`. Returns `to`.
    ///
    /// # Safety
    /// They are blocks of this allocator's for `layout` and `new`.
    #[cold]
    unsafe fn replace(&self, block: *mut u8, layout: Layout, to: *mut u8, new: Layout) -> *mut u8 {
        if !to.is_null() {
            // SAFETY: both are as large as that, and none is a part of the other.
            unsafe {
                to.copy_from_nonoverlapping(block, layout.size().min(new.size()));
                self.dealloc(block, layout);
            }
        }
        to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Few = Units<64, 2>;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn gaps_are_found() {
        assert_eq!((gap(0, 1), gap(0, 64), gap(1, 64), gap(u64::MAX, 1)), (Some(0), Some(0), None, None));
        assert_eq!((gap(0b1011, 1), gap(0b1011, 2), gap(0b1001, 2)), (Some(2), Some(4), Some(1)));
        assert_eq!((gap(u64::MAX >> 1, 1), gap(u64::MAX >> 1, 2)), (Some(63), None));
    }

    #[test]
    fn units_are_given_out_once_and_again_when_they_are_back() {
        static UNITS: Few = Few::new();
        let blocks: Vec<_> = (0..128).map(|_| UNITS.take(layout(1, 64))).collect();
        let places: std::collections::BTreeSet<_> = blocks.iter().map(|&block| block as usize).collect();
        assert!(places.len() == 128 && places.iter().all(|place| place.is_multiple_of(64)) && !places.contains(&0));
        assert!(UNITS.take(layout(1, 1)).is_null() && !UNITS.is_half_free());
        blocks[3..66].iter().for_each(|&block| assert!(UNITS.give_back(block, layout(64, 1))));
        assert_eq!(UNITS.take(layout(61 * 64, 8)), blocks[3], "61 units in a row, in one word");
        assert!(UNITS.take(layout(3 * 64, 8)).is_null() && !UNITS.take(layout(65, 8)).is_null());
        assert!(UNITS.take(layout(65 * 64, 1)).is_null() && UNITS.take(layout(1, 128)).is_null());
        let mut other = 0u8;
        assert!(!UNITS.give_back(&raw mut other, layout(1, 1)));
    }

    #[test]
    fn many_threads_never_get_the_same_unit() {
        static UNITS: Few = Few::new();
        std::thread::scope(|scope| {
            for thread in 0..4u8 {
                scope.spawn(move || {
                    for i in 0..20_000 {
                        let layout = layout(1 + i % 300, 8);
                        let block = UNITS.take(layout);
                        if block.is_null() {
                            continue;
                        }
                        // SAFETY: the block is as large as that, and this thread's until it is given back.
                        unsafe {
                            block.write_bytes(thread, layout.size());
                            assert_eq!((block.read(), block.add(layout.size() - 1).read()), (thread, thread));
                        }
                        assert!(UNITS.give_back(block, layout));
                    }
                });
            }
        });
        assert_eq!(UNITS.free(), 128);
    }
}
