//! Digits as a program may receive them: on a larger canvas, off centre, dark on light, drawn with another pen.

use mnist::data::Dataset;

/// A grey picture, `[height, width]`, row by row.
#[derive(Clone)]
pub struct Picture {
    pub height: usize,
    pub width: usize,
    pub grey: Vec<u8>,
}

impl Picture {
    /// A picture whose pixel at a row and column is the result of `grey`.
    pub fn new(height: usize, width: usize, grey: impl Fn(usize, usize) -> u8) -> Self {
        let pixels = (0..height * width).map(|i| grey(i / width, i % width)).collect();
        Picture { height, width, grey: pixels }
    }

    /// The grey value at a position, 0 outside.
    fn at(&self, y: isize, x: isize) -> u8 {
        let inside = |at: isize, size: usize| usize::try_from(at).ok().filter(|&at| at < size);
        match (inside(y, self.height), inside(x, self.width)) {
            (Some(y), Some(x)) => self.grey[y * self.width + x],
            _ => 0,
        }
    }

    /// Scaled to another size with linear interpolation between pixel centres.
    pub fn enlarged(&self, height: usize, width: usize) -> Self {
        // For each pixel the one before it, and how far it is from there to the next.
        let places = |to: usize, from: usize| -> Vec<(isize, f64)> {
            let place = |i| (i as f64 + 0.5) * from as f64 / to as f64 - 0.5;
            (0..to).map(|i| (place(i).floor() as isize, place(i) - place(i).floor())).collect()
        };
        let (rows, columns) = (places(height, self.height), places(width, self.width));
        Picture::new(height, width, |y, x| {
            let ((top, down), (left, right)) = (rows[y], columns[x]);
            let at = |dy, dx| f64::from(self.at(top + dy, left + dx));
            let upper = at(0, 0) * (1.0 - right) + at(0, 1) * right;
            let lower = at(1, 0) * (1.0 - right) + at(1, 1) * right;
            (upper * (1.0 - down) + lower * down + 0.5) as u8
        })
    }

    /// Plain scaling to 28 x 28 pixels: the average over the area that each pixel covers, divided by 255.
    pub fn squeezed(&self) -> Vec<f32> {
        // For each pixel of the result, where it begins and what part of it each pixel there covers.
        let spans = |from: usize| -> Vec<(usize, Vec<f64>)> {
            let edge = |i: usize| i as f64 * from as f64 / 28.0;
            let part = |i, at: usize| (edge(i + 1).min(at as f64 + 1.0) - edge(i).max(at as f64)) * 28.0 / from as f64;
            let span = |i: usize| (i * from / 28..((i + 1) * from).div_ceil(28)).map(|at| part(i, at)).collect();
            (0..28).map(|i| (i * from / 28, span(i))).collect()
        };
        let (rows, columns) = (spans(self.height), spans(self.width));
        let mut pixels = Vec::with_capacity(28 * 28);
        for (top, down) in &rows {
            for (left, across) in &columns {
                let row =
                    |y: usize| self.grey[y * self.width + left..].iter().zip(across).map(|(&g, w)| f64::from(g) * w);
                let sum: f64 = (*top..).zip(down).map(|(y, weight)| weight * row(y).sum::<f64>()).sum();
                pixels.push((sum / 255.0) as f32);
            }
        }
        pixels
    }

    /// Every pixel the lightest within `radius`, up and down, then left and right: a thicker pen.
    pub fn thicker(&self, radius: usize) -> Self {
        self.each_of(radius, u8::max)
    }

    /// Every pixel the darkest within `radius`: a thinner pen. The background continues outside.
    pub fn thinner(&self, radius: usize) -> Self {
        self.each_of(radius, u8::min)
    }

    fn each_of(&self, radius: usize, choose: impl Fn(u8, u8) -> u8) -> Self {
        let pass = |from: &Self, down: bool| {
            let mut chosen = from.clone();
            for d in -(radius as isize)..=radius as isize {
                let (dy, dx) = if down { (d, 0) } else { (0, d) };
                for (i, grey) in chosen.grey.iter_mut().enumerate() {
                    let (y, x) = ((i / from.width) as isize, (i % from.width) as isize);
                    *grey = choose(*grey, from.at(y + dy, x + dx));
                }
            }
            chosen
        };
        pass(&pass(self, true), false)
    }

    /// Dark on light.
    pub fn inverted(&self) -> Self {
        Picture::new(self.height, self.width, |y, x| 255 - self.grey[y * self.width + x])
    }

    /// The grey values mapped to the range from `ground` to `ink`: a pale pen on grey paper.
    pub fn paler(&self, ground: u8, ink: u8) -> Self {
        let (ground, ink) = (i32::from(ground), i32::from(ink));
        let grey = |grey: u8| (ground + (ink - ground) * i32::from(grey) / 255) as u8;
        Picture::new(self.height, self.width, |y, x| grey(self.grey[y * self.width + x]))
    }

    /// On an empty canvas, `top` and `left` pixels from its corner; pixels outside are lost.
    pub fn on_canvas(&self, height: usize, width: usize, top: isize, left: isize) -> Self {
        Picture::new(height, width, |y, x| self.at(y as isize - top, x as isize - left))
    }

    /// At a position on an empty canvas that is different for each digit; the canvas must be large enough.
    fn anywhere(&self, height: usize, width: usize, digit: usize) -> Self {
        let place = |of, room: usize| random(digit, of, room + 1) as isize;
        self.on_canvas(height, width, place(11, height - self.height), place(12, width - self.width))
    }

    /// With nearly Gaussian noise of standard deviation `deviation`, the same for the same `seed`.
    pub fn noisy(&self, deviation: f64, seed: u64) -> Self {
        let mut state = seed;
        let mut uniform = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f64 / (1u64 << 24) as f64
        };
        let mut noisy = self.clone();
        for grey in &mut noisy.grey {
            let bell = (0..12).map(|_| uniform()).sum::<f64>() - 6.0; // variance 1
            *grey = (f64::from(*grey) + bell * deviation).round().clamp(0.0, 255.0) as u8;
        }
        noisy
    }
}

/// Image `i` of a dataset of 28 x 28 bytes that is not normalized.
pub fn digit(data: &Dataset, i: usize) -> Picture {
    let mut pixels = [0.0; 28 * 28];
    data.image(i, &mut pixels).unwrap();
    Picture { height: 28, width: 28, grey: pixels.map(|pixel| pixel as u8).to_vec() }
}

/// Distorts digit `i`.
pub type Distortion = fn(Picture, usize) -> Picture;

/// The distortions with their names. A pen's change of width is in the digit's own pixels.
pub const DISTORTIONS: [(&str, Distortion); 12] = [
    ("untouched", |digit, _| digit),
    ("dark on light", |digit, _| digit.inverted()),
    ("112 x 112", |digit, _| digit.enlarged(112, 112)),
    ("400 x 400", |digit, _| digit.enlarged(400, 400)),
    ("112 x 112, anywhere on 160 x 240", |digit, i| digit.enlarged(112, 112).anywhere(160, 240, i)),
    ("margins cut off, 22 x 22", |digit, _| digit.on_canvas(22, 22, -3, -3)),
    ("168 x 168, pen thicker by 1 pixel", |digit, _| digit.enlarged(168, 168).thicker(3)),
    ("168 x 168, pen thicker by 2 pixels", |digit, _| digit.enlarged(168, 168).thicker(6)),
    ("168 x 168, pen thinner by 1 pixel", |digit, _| digit.enlarged(168, 168).thinner(3)),
    ("112 x 112, grey 90 on 180", |digit, _| digit.enlarged(112, 112).paler(180, 90)),
    ("the same with noise, deviation 10", |digit, i| digit.enlarged(112, 112).paler(180, 90).noisy(10.0, i as u64)),
    ("all at once, 112 to 400 pixels", all_at_once),
];

/// A size from 112 to 400 pixels, a pen up to 1 pixel thicker or thinner, a larger canvas, and for half of them dark on
/// light.
fn all_at_once(digit: Picture, i: usize) -> Picture {
    let side = 112 + random(i, 1, 289);
    let radius = random(i, 2, side / 56 + 1);
    let larger = digit.enlarged(side, side);
    let drawn = if random(i, 3, 2) == 0 { larger.thicker(radius) } else { larger.thinner(radius) };
    let placed = drawn.anywhere(side + random(i, 4, side), side + random(i, 5, side), i);
    if random(i, 6, 2) == 0 { placed } else { placed.inverted().paler(40, 220) }
}

/// A pseudo-random number from 0 to `below - 1`, the same for the same digit and use.
fn random(digit: usize, of: u64, below: usize) -> usize {
    let mut x = (digit as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ of.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 29)) % below as u64) as usize
}
