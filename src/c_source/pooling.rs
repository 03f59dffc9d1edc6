//! Max and average pooling, over windows and over all pixels.

use super::convolution::window;
use super::source::Source;
use super::{Call, Result};
use crate::kernels::window::{Axis, Window};

pub fn max(call: &Call<'_>, source: &mut Source) -> Result<()> {
    pool(call, window(call, "pool_size")?, true, source)
}

pub fn average(call: &Call<'_>, source: &mut Source) -> Result<()> {
    pool(call, window(call, "pool_size")?, false, source)
}

pub fn global_max(call: &Call<'_>, source: &mut Source) -> Result<()> {
    pool(call, whole(call), true, source)
}

pub fn global_average(call: &Call<'_>, source: &mut Source) -> Result<()> {
    pool(call, whole(call), false, source)
}

/// A window of all pixels, in one row.
fn whole(call: &Call<'_>) -> Window {
    let axis = |n: usize| Axis { input: n, size: n, stride: 1, dilation: 1, before: 0, after: 0 };
    Window { rows: axis(1), columns: axis(call.inputs[0].len() / call.output.len()) }
}

fn pool(call: &Call<'_>, window: Window, greatest: bool, source: &mut Source) -> Result<()> {
    let channels = call.inputs[0].dims().last().copied().unwrap_or(1);
    let window = source.window(window, channels, channels, 1);
    source.call("pool", "prefix_pool", &[&window, &greatest, &call.x[0], &call.y]);
    Ok(())
}
