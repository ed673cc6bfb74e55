//! As much of PNG as a browser's screenshots need: 8 bits a channel, RGB or RGBA, not interlaced.

use flate2::read::ZlibDecoder;
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

pub type Colour = [u8; 3];

pub struct Picture {
    pub width: usize,
    pub height: usize,
    pixels: Vec<Colour>,
}

impl Picture {
    pub fn read(path: &Path) -> Picture {
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
        let (mut at, mut data, mut head) = (8, Vec::new(), Vec::new());
        while at + 8 <= bytes.len() {
            let length = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
            let content = &bytes[at + 8..at + 8 + length];
            match &bytes[at + 4..at + 8] {
                b"IHDR" => head = content.to_vec(),
                b"IDAT" => data.extend_from_slice(content),
                _ => {}
            }
            at += 12 + length;
        }
        let number = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().unwrap()) as usize;
        let (width, height) = (number(0), number(4));
        assert_eq!((head[8], head[12]), (8, 0), "an unexpected kind of PNG");
        let channels = if head[9] == 6 { 4 } else { 3 };
        let mut raw = Vec::new();
        ZlibDecoder::new(&data[..]).read_to_end(&mut raw).unwrap();
        Picture {
            width,
            height,
            pixels: unfiltered(&raw, width * channels, channels),
        }
    }

    pub fn at(&self, x: usize, y: usize) -> Colour {
        self.pixels[y * self.width + x]
    }

    /// The colours, the commonest first.
    pub fn colours(&self) -> Vec<(Colour, usize)> {
        let mut counted: HashMap<Colour, usize> = HashMap::new();
        for pixel in &self.pixels {
            *counted.entry(*pixel).or_default() += 1;
        }
        let mut list: Vec<_> = counted.into_iter().collect();
        list.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        list
    }
}

/// Undoes the filters of the PNG specification, section 9.
fn unfiltered(raw: &[u8], stride: usize, step: usize) -> Vec<Colour> {
    let mut before = vec![0u8; stride];
    let mut pixels = Vec::new();
    for line in raw.chunks(stride + 1) {
        let (filter, mut row) = (line[0], line[1..].to_vec());
        for i in 0..row.len() {
            let left = if i >= step { row[i - step] } else { 0 };
            let corner = if i >= step { before[i - step] } else { 0 };
            let add = match filter {
                0 => 0,
                1 => left,
                2 => before[i],
                3 => ((u16::from(left) + u16::from(before[i])) / 2) as u8,
                _ => paeth(left, before[i], corner),
            };
            row[i] = row[i].wrapping_add(add);
        }
        pixels.extend(row.chunks(step).map(|p| [p[0], p[1], p[2]]));
        before = row;
    }
    pixels
}

fn paeth(left: u8, up: u8, corner: u8) -> u8 {
    let (a, b, c) = (i32::from(left), i32::from(up), i32::from(corner));
    let guess = a + b - c;
    let (da, db, dc) = ((guess - a).abs(), (guess - b).abs(), (guess - c).abs());
    if da <= db && da <= dc {
        left
    } else if db <= dc {
        up
    } else {
        corner
    }
}

/// The contrast ratio of WCAG 2, 1 to 21.
pub fn contrast(one: Colour, other: Colour) -> f64 {
    let luminance = |colour: Colour| {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2])
    };
    let (a, b) = (luminance(one), luminance(other));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}
