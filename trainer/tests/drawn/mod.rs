//! A training set that needs no data: chips of coloured stripes, one pattern an identity, with a little noise.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{ImageFormat, RgbImage};
use trainer::data::recordio::{Label, Record, RecordWriter};

/// Writes `identities` × `each` chips to `folder/faces.rec`, in insightface's layout.
pub fn set(folder: &Path, identities: u32, each: u32) -> PathBuf {
    let path = folder.join("faces.rec");
    let mut writer = RecordWriter::create(&path).expect("created");
    let pictures = u64::from(identities * each);
    let range =
        |id, from: u64, to: u64| Record { label: Label::Many(vec![from as f32, to as f32]), id, id2: 0, payload: Vec::new() };
    writer.write(0, &range(0, pictures + 1, pictures + 1 + u64::from(identities))).expect("written");
    for key in 1..=pictures {
        let number = key as u32 - 1;
        let payload = chip(number / each, number % each);
        writer.write(key, &Record { label: Label::One((number / each) as f32), id: key, id2: 0, payload }).expect("written");
    }
    for identity in 0..u64::from(identities) {
        let from = 1 + identity * u64::from(each);
        let key = pictures + 1 + identity;
        writer.write(key, &range(key, from, from + u64::from(each))).expect("written");
    }
    writer.finish().expect("finished");
    path
}

fn chip(identity: u32, number: u32) -> Vec<u8> {
    let picture = RgbImage::from_fn(112, 112, |x, y| {
        let stripe = (x * (identity + 1) / 16 + y * (identity % 3) / 8) % 2;
        let noise = (x * 31 + y * 17 + number * 101) % 23;
        image::Rgb([(stripe * 150 + noise) as u8, (identity * 40 % 200 + noise) as u8, (90 + noise) as u8])
    });
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).expect("encoded");
    bytes.into_inner()
}

/// Writes 20 pairs of drawn chips as PNG files, and their list, in which every other pair is of one identity.
#[allow(dead_code, reason = "each test program takes what it needs")]
pub fn pairs(folder: &Path) -> PathBuf {
    let mut text = String::new();
    for pair in 0..20u32 {
        let (first, second) = (pair % 5, if pair % 2 == 0 { pair % 5 } else { (pair + 1) % 5 });
        for (identity, number, side) in [(first, 2 * pair, 'a'), (second, 2 * pair + 1, 'b')] {
            std::fs::write(folder.join(format!("{pair}{side}.png")), chip(identity, number)).expect("written");
        }
        text.push_str(&format!("{pair}a.png\t{pair}b.png\t{}\n", u8::from(first == second)));
    }
    let list = folder.join("pairs.tsv");
    std::fs::write(&list, text).expect("written");
    list
}
