//! The time of one training step, kernel by kernel: `cargo bench --bench step`.
//!
//! Trains the tutorial's network for some steps, then runs one batch of real digits through every kernel of a step, task by
//! task on one thread. It prints each time with its lower bound: the remaining multiply-adds divided by the machine's
//! measured peak, or the bytes of weights and moments divided by the measured copy bandwidth, whichever is longer. Then it
//! simulates the measured tasks on 1 to 64 threads and prints their utilization. The number of steps may be given:
//! `cargo bench --bench step -- 600`.

use mnist::data::{Batch, Dataset};
use mnist::kernels::conv2d::Finish;
use mnist::kernels::conv2d::winograd::Winograd;
use mnist::kernels::dense::{self, Backward, Part, Scratch};
use mnist::kernels::{AdamStep, Columns, Update, rows};
use std::error::Error;
use std::time::Instant;

mod machine;
mod tutorial;
use machine::{Machine, median, zeros};
use tutorial::{BATCH, CONV_1, CONV_2, INPUTS, Trained, UNITS, digits, of, of_mut, train};

/// Rows of the dense kernel per task, as in the layer.
const PART: usize = 576;

/// A kernel's tasks: the time of each, and the work of all of them.
struct Line {
    name: &'static str,
    tasks: Vec<f64>,
    /// Multiply-adds, and bytes of data that do not fit into the caches.
    work: (f64, f64),
}

/// Times `n` tasks, alternating between them, and takes the median of each.
fn tasks(n: usize, mut task: impl FnMut(usize)) -> Vec<f64> {
    const ROUNDS: usize = 9;
    let mut times = vec![[0.0; ROUNDS]; n];
    for round in 0..ROUNDS {
        for (i, times) in times.iter_mut().enumerate() {
            let start = Instant::now();
            task(i);
            times[round] = start.elapsed().as_secs_f64();
        }
    }
    times.into_iter().map(|times| median(times.into_iter())).collect()
}

fn nonzero(values: &[f32]) -> f64 {
    values.iter().filter(|&&x| x != 0.0).count() as f64
}

/// Forward and backward, kernel by kernel.
fn profile(machine: &Machine, data: &Dataset, net: &mut Trained) -> mnist::Result<Vec<Line>> {
    let isa = machine.isa;
    let mut lines = Vec::new();
    let mut line = |name, tasks, work| lines.push(Line { name, tasks, work });

    let mut batch = Batch::new(data, BATCH)?;
    let indices: Vec<u32> = (0..BATCH as u32).collect();
    line("gather the batch", tasks(1, |_| batch.fill(data, &indices).unwrap()), (0.0, 0.0));
    let x = batch.x();

    // Forward.
    let mut packed = zeros(CONV_1.packed_len(isa));
    CONV_1.pack(isa, &net.conv_1[0], &mut packed);
    let mut a = zeros(BATCH * CONV_1.output_len());
    let finish = Finish::Bias { bias: &net.conv_1[1], relu: true };
    let times = tasks(BATCH, |i| {
        let (x, a) = (of(x, i, CONV_1.input_len()), of_mut(&mut a, i, CONV_1.output_len()));
        CONV_1.forward(isa, x, &packed, finish, a);
    });
    line("conv2d forward", times, ((BATCH * 26 * 26 * 9 * 32) as f64, 0.0));

    let pass = Winograd::forward_of(&CONV_2);
    let (mut transformed, mut scratch) = (zeros(pass.transformed_len(isa)), zeros(pass.scratch_len(isa)));
    let times = tasks(1, |_| pass.transform_kernel(isa, &net.conv_2[0], &mut transformed));
    line("conv2d_1 kernel transformed", times, (0.0, 0.0));
    let mut b = zeros(BATCH * CONV_2.output_len());
    let finish = Finish::Bias { bias: &net.conv_2[1], relu: true };
    let times = tasks(BATCH, |i| {
        let (a, b) = (of(&a, i, CONV_2.input_len()), of_mut(&mut b, i, CONV_2.output_len()));
        pass.run(isa, a, &transformed, finish, b, &mut scratch);
    });
    line("conv2d_1 forward, Winograd", times, ((BATCH * 36 * 36 * 32 * 64) as f64, 0.0));

    println!("{:.0} % of conv2d_1's output is nonzero.\n", 100.0 * nonzero(&b) / b.len() as f64);
    let bytes = 4.0 * net.dense[0].len() as f64;
    let parts = INPUTS / PART;
    let mut sums = zeros(parts * BATCH * UNITS);
    let mut scratch = Scratch::forward(isa, BATCH)?;
    let times = tasks(parts, |i| {
        let sums = of_mut(&mut sums, i, BATCH * UNITS);
        let all = dense::Forward { x: &b, inputs: INPUTS, w: &net.dense[0], units: UNITS };
        all.part(isa, i * PART..(i + 1) * PART, 0, Columns::new(sums, BATCH, UNITS), &mut scratch);
    });
    line("dense forward", times, (nonzero(&b) * UNITS as f64, bytes));
    let mut h = zeros(BATCH * UNITS);
    let times = tasks(1, |_| dense::finish(isa, &sums, BATCH, 0, &[0.0; UNITS], true, &mut h));
    line("dense sums of the parts", times, (0.0, 0.0));

    // Backward, from a gradient that is zero where relu gave zero.
    let mut dz = machine::numbers(h.len());
    dz.iter_mut().zip(&*h).for_each(|(g, &h)| *g *= if h > 0.0 { 1e-3 } else { 0.0 });
    let adam = AdamStep::new(1e-3, 0.9, 0.999, 1e-7, 1000);
    let mut panels = zeros(dz.len());
    dense::pack(isa, &dz, UNITS, &mut panels);
    let all = Backward { x: &b, inputs: INPUTS, dz: &panels, units: UNITS, batch: BATCH, gated: true };
    let (mut m, mut v) = (zeros(net.dense[0].len()), zeros(net.dense[0].len()));
    let mut db = zeros(b.len());
    let mut scratch = Scratch::backward(BATCH)?;
    let times = tasks(parts, |i| {
        let at = i * PART * UNITS..(i + 1) * PART * UNITS;
        let update = Update::Adam { step: adam, m: &mut m[at.clone()], v: &mut v[at.clone()] };
        let part = Part { first: i * PART, w: &mut net.dense[0][at], update };
        let dx = Columns::new(&mut db, BATCH, INPUTS).split_at(i * PART).1.split_at(PART).0;
        all.part(isa, part, Some(dx), &mut scratch);
    });
    line("dense backward with Adam", times, (2.0 * nonzero(&b) * UNITS as f64, 6.0 * bytes));

    let mut by_filter = zeros(CONV_2.kernel_len());
    rows::transpose(isa, &net.conv_2[0], CONV_2.filters, &mut by_filter);
    let mut da = zeros(a.len());
    let work = nonzero(&db) * (CONV_2.kernel_len() / CONV_2.filters) as f64;
    let times = tasks(BATCH, |i| {
        let (db, a) = (of(&db, i, CONV_2.output_len()), of(&a, i, CONV_2.input_len()));
        CONV_2.input_gradient_of_nonzero(isa, db, &by_filter, Some(a), of_mut(&mut da, i, CONV_2.input_len()));
    });
    line("conv2d_1 to the input, zeros skipped", times, (work, 0.0));
    let mut shares = zeros(BATCH * CONV_2.kernel_len());
    let mut scratch = CONV_2.zeros_scratch()?;
    let times = tasks(BATCH, |i| {
        let (db, a) = (of(&db, i, CONV_2.output_len()), of(&a, i, CONV_2.input_len()));
        let share = of_mut(&mut shares, i, CONV_2.kernel_len());
        share.fill(0.0);
        CONV_2.kernel_gradient_of_nonzero(isa, a, db, share, &mut scratch);
    });
    line("conv2d_1 to the kernel, zeros skipped", times, (work, 0.0));
    let mut sum = zeros(CONV_2.kernel_len());
    let times = tasks(18, |i| rows::sum_rows(isa, &shares, CONV_2.kernel_len(), i * 1024, of_mut(&mut sum, i, 1024)));
    line("conv2d_1 sums of the shares", times, (0.0, 0.0));

    let mut share = zeros(CONV_1.kernel_len());
    let times = tasks(BATCH, |i| {
        let (da, x) = (of(&da, i, CONV_1.output_len()), of(x, i, CONV_1.input_len()));
        CONV_1.kernel_gradient(isa, x, da, CONV_1.filters, &mut share);
    });
    line("conv2d to the kernel", times, ((BATCH * 26 * 26 * 9 * 32) as f64, 0.0));
    Ok(lines)
}

fn print_profile(machine: &Machine, lines: &[Line], step: f64) {
    let sum: f64 = lines.iter().flat_map(|line| &line.tasks).sum();
    println!("| kernel | tasks | ms | share | lower bound, ms | lower bound / time |\n|---|---|---|---|---|---|");
    for Line { name, tasks, work: (products, bytes) } in lines {
        let ms = 1e3 * tasks.iter().sum::<f64>();
        let (compute, memory) = (2e3 * products / machine.flops, 1e3 * bytes / machine.bandwidth);
        let (floor, what) = if memory > compute { (memory, "bytes") } else { (compute, "FLOP") };
        let floors = if floor > 0.0 { format!("{floor:.2} ({what}) | {:.2}", floor / ms) } else { "| ".to_string() };
        println!("| {name} | {} | {ms:.2} | {:.0} % | {floors} |", tasks.len(), 0.1 * ms / sum);
    }
    println!("\nAll kernels: {:.2} ms. A step of fit on one thread: {:.2} ms.", 1e3 * sum, 1e3 * step);
}

/// The time of the tasks on `threads` threads when each free thread takes the next one.
fn makespan(tasks: &[f64], threads: usize) -> f64 {
    let mut busy_until = vec![0.0f64; threads];
    for task in tasks {
        if let Some(next) = busy_until.iter_mut().min_by(|a, b| a.total_cmp(b)) {
            *next += task;
        }
    }
    busy_until.into_iter().fold(0.0, f64::max)
}

/// Simulates the tasks on several threads, kernel after kernel, with the two gradients of a convolution at the same time, as
/// in a step. It ignores that threads share the memory bandwidth.
fn print_balance(lines: &[Line]) {
    let (_, beside): (Vec<_>, Vec<_>) = lines.iter().partition(|line| !line.name.contains("zeros skipped"));
    let together: Vec<f64> = beside.iter().flat_map(|line| line.tasks.clone()).collect();
    println!("\n| threads | busy | a step's tasks, ms |\n|---|---|---|");
    for threads in [1usize, 2, 3, 4, 8, 16, 32, 64] {
        // More threads than images: an image of a forward convolution is divided into bands.
        let cut = |line: &Line| -> Vec<f64> {
            let bands = if line.name.ends_with("forward, Winograd") { threads.div_ceil(BATCH) } else { 1 };
            line.tasks.iter().flat_map(|&task| vec![task / bands as f64; bands]).collect()
        };
        let alone = lines.iter().filter(|line| !line.name.contains("zeros skipped"));
        let time: f64 = alone.map(|line| makespan(&cut(line), threads)).sum::<f64>() + makespan(&together, threads);
        let work: f64 = lines.iter().flat_map(|line| &line.tasks).sum();
        println!("| {threads} | {:.0} % | {:.2} |", 100.0 * work / time / threads as f64, 1e3 * time);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let machine = Machine::measure()?;
    println!("{machine}\n");
    let (data, _) = digits()?;
    let steps = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(300);
    let mut net = train(&data, steps)?;
    println!("After {steps} steps:\n");
    let lines = profile(&machine, &data.slice(BATCH * steps, BATCH)?, &mut net)?;
    print_profile(&machine, &lines, net.step);
    print_balance(&lines);
    Ok(())
}
