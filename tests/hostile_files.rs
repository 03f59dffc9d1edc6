//! Malicious files: each is refused with a message, or loads the content that it declares. None makes its loader use more memory than
//! promised (in `mnist.h`, at the function that reads it), and none causes a panic.

mod damage;
mod files;

use damage::Trials;
use files::trained::{self, model};
use files::verdict::{check_memory, measured};
use files::{Member, crc, deflate, gzip, idx, npy, safetensors, zip};
use mnist::data::{Dataset, Npz, load_data};
use mnist::model::Model;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

/// One test at a time, because memory is measured for the whole process.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A file in a temporary folder, which is removed with it.
struct Hostile {
    _folder: tempfile::TempDir,
    path: PathBuf,
    len: usize,
}

fn hostile(bytes: &[u8]) -> Hostile {
    let folder = damage::folder();
    let path = folder.path().join("hostile");
    std::fs::write(&path, bytes).unwrap();
    Hostile { _folder: folder, path, len: bytes.len() }
}

const MIB: usize = 1 << 20;
const GIB: u64 = 1 << 30;

/// The memory limit for opening an archive of `len` bytes.
fn directory_memory(len: usize) -> usize {
    32 * MIB + 64 * len
}

/// A deflate stream of `start` and `gib` GiB of zeros: a block of 16 MiB, ending at a byte boundary, repeated.
fn zeros(start: &[u8], gib: usize) -> Vec<u8> {
    let mut encoder = flate2::Compress::new(flate2::Compression::best(), false);
    let (plain, mut block) = (vec![0; 16 * MIB], Vec::with_capacity(MIB));
    encoder.compress_vec(&plain, &mut block, flate2::FlushCompress::Full).unwrap();
    let (mut file, mut head) = (Vec::new(), Vec::with_capacity(MIB));
    let mut encoder = flate2::Compress::new(flate2::Compression::best(), false);
    encoder.compress_vec(start, &mut head, flate2::FlushCompress::Full).unwrap();
    file.extend(head);
    (0..64 * gib).for_each(|_| file.extend(&block));
    file.extend([3, 0]); // an empty last block
    file
}

/// The message for an invalid dataset, and the memory that the call used.
fn refusal(result: (mnist::Result<impl Sized>, usize)) -> (String, usize) {
    let error = result.0.err().expect("a refusal");
    files::verdict::check_error(&error);
    (error.to_string(), result.1)
}

/// An archive of images whose array header has the given shape, with the compressed data `packed` and the declared length `plain_len`.
fn archive(packed: Vec<u8>, plain_len: u64) -> Vec<u8> {
    let sizes = plain_len.to_le_bytes();
    let images = Member {
        packed_len: packed.len() as u32,
        packed,
        plain_len: u32::MAX,
        extra: [&[1, 0, 8, 0], &sizes[..]].concat(),
        ..Member::new("x.npy", true, &[])
    };
    zip(&[images, Member::new("y.npy", true, &npy("|u1", "(10,)", &[0; 10]))])
}

#[test]
fn ten_gigabytes_of_zeros_are_refused_however_they_are_claimed() {
    let _turn = turn();
    let load = |file: &Hostile| refusal(measured(|| Dataset::from_npz(&file.path, "x", "y")));
    // Header and directory are correct: 10 GiB in 10 MB.
    let header = npy("|u1", "(10, 32768, 32768)", &[]);
    let bomb = hostile(&archive(zeros(&header, 10), 10 * GIB + header.len() as u64));
    assert!(bomb.len < 11 * MIB);
    let (text, most) = load(&bomb);
    assert!(text.contains("claims an implausible unpacked size: expected at most"), "{text}");
    check_memory(most, directory_memory(bomb.len));
    // The directory declares less than the array header: the array is longer than its member.
    let (text, most) = load(&hostile(&archive(zeros(&header, 10), 1000)));
    assert!(text.contains("the array is longer than its member"), "{text}");
    check_memory(most, directory_memory(bomb.len));
    // The zeros continue after the end of the array, without a declaration.
    let header = npy("|u1", "(10, 2, 2)", &[]);
    let (text, most) = load(&hostile(&archive(zeros(&header, 10), 40 + header.len() as u64)));
    assert!(text.contains("data after the array's end") || text.contains("damaged data"), "{text}");
    check_memory(most, directory_memory(bomb.len) + MIB);
    // There is less data than declared: memory must grow with the actual data.
    let header = npy("|u1", "(1, 32768, 32767)", &[]);
    let bomb = hostile(&archive([zeros(&header, 0), vec![0; 2 * MIB]].concat(), GIB - 100));
    let (text, most) = load(&bomb);
    assert!(text.contains("the data end too soon") || text.contains("damaged data"), "{text}");
    check_memory(most, directory_memory(bomb.len) + MIB);
}

#[test]
fn a_gzip_bomb_is_refused_however_it_is_claimed() {
    let _turn = turn();
    let labels = hostile(&idx(&[10], &[0; 10]));
    let load = |dims: &[u32], gib: usize| {
        let packed = [&b"\x1f\x8b\x08\0\0\0\0\0\0\xff"[..], &zeros(&idx(dims, &[]), gib), &[0; 8]].concat();
        let bomb = hostile(&packed);
        let (text, most) = refusal(measured(|| Dataset::from_idx(&bomb.path, &labels.path)));
        check_memory(most, 2 * MIB);
        text
    };
    let claimed = load(&[10, 32768, 32768], 10);
    assert!(claimed.contains("the array claims an implausible size"), "{claimed}");
    let unclaimed = load(&[10, 2, 2], 10);
    assert!(unclaimed.contains("byte 56: more data than the header's sizes"), "{unclaimed}");
    let impossible = load(&[1, 1000, 1000], 0);
    assert!(impossible.contains("claims an implausible"), "{impossible}");
    // A thousand empty members, and an array header without an end.
    let empty = hostile(&[gzip(&idx(&[10, 1, 1], &[])), gzip(b"").repeat(1000), gzip(&[7; 10])].concat());
    let (data, most) = measured(|| Dataset::from_idx(&empty.path, &labels.path));
    assert_eq!(data.unwrap().shape(), [10, 1, 1]);
    check_memory(most, 2 * MIB);
    let endless = hostile(&[&b"\x1f\x8b\x08\x08\0\0\0\0\0\xff"[..], &vec![b'a'; 16 * MIB]].concat());
    check_memory(refusal(measured(|| Dataset::from_idx(&endless.path, &labels.path))).1, 2 * MIB);
}

#[test]
fn many_members_take_what_their_directory_takes() {
    let _turn = turn();
    let open = |bytes: &[u8]| {
        let file = hostile(bytes);
        let (npz, most) = measured(|| Npz::open(&file.path).map(|npz| npz.names().len()));
        check_memory(most, directory_memory(file.len));
        println!("{} bytes: {most} of memory", file.len);
        npz
    };
    let sizes = vec!["1"; 64].join(",");
    let member =
        |i: usize, sizes: &str| Member::new(&format!("{i}.npy"), true, &npy("|u1", &format!("({sizes})"), &[0]));
    let members: Vec<_> = (0..20_000).map(|i| member(i, &sizes)).collect();
    assert_eq!(open(&zip(&members)).unwrap(), 20_000);
    // Every entry of the directory points to the same member.
    let overlapping: Vec<_> =
        (0..20_000).map(|i| Member { place: (i > 0).then_some(0), ..member(i, &sizes) }).collect();
    let result = open(&zip(&overlapping));
    assert!(result.as_ref().map_or(true, |&count| count == 20_000), "{result:?}");
    // Headers of ten thousand characters that compress to twenty bytes.
    let long: Vec<_> = (0..5_000).map(|i| member(i, &vec!["1"; 4900].join(","))).collect();
    let long = zip(&long);
    assert_eq!(open(&long).unwrap(), 5_000);
    let text = Npz::open(&hostile(&long).path).unwrap().shape("0").unwrap_err().to_string();
    assert!(text.contains("member 0: byte 10: too many dimensions: expected at most 64"), "{text}");
    // A directory that declares more entries than there are.
    let mut claims = zip(&[member(0, "1")]);
    claims.splice(0..0, vec![0; 70_000]);
    let end = claims.len() - 22;
    claims[end + 8..end + 12].fill(0xff);
    claims[end + 12..end + 16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(open(&claims).is_err());
}

/// The number of bytes that this process has read so far.
#[cfg(target_os = "linux")]
fn bytes_read() -> usize {
    let text = std::fs::read_to_string("/proc/self/io").unwrap();
    text.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn false_marks_of_an_end_are_not_looked_for_one_by_one() {
    let _turn = turn();
    let good = trained::archive(false);
    let (start, count) = (good.len() - 22, 4usize);
    let size = start - u32::from_le_bytes(good[start + 16..start + 20].try_into().unwrap()) as usize;
    let directory = &good[start - size..start];
    let words = |mark: &[u8; 4]| mark.repeat(MIB);
    let end = |count: u16, size: u32, offset: u32| {
        let [count, size, offset] = [u32::from(count) * 0x1_0001, size, offset].map(u32::to_le_bytes);
        [&b"PK\x05\x06\0\0\0\0"[..], &count, &size, &offset, &[0; 2]].concat()
    };
    let locator = |place: u64| [&b"PK\x06\x07\0\0\0\0"[..], &place.to_le_bytes(), &[1, 0, 0, 0]].concat();
    let large = end(0xffff, u32::MAX, u32::MAX);
    let files = [
        words(b"PK\x05\x06"),
        [&good[..start], &words(b"PK\x05\x06")[..], &good[start..]].concat(),
        [words(b"PK\x06\x06"), locator(0), large.clone()].concat(),
        [words(b"PK\x06\x06"), [locator(0), large.clone()].concat().repeat(1500)].concat(),
        [words(b"PK\x01\x02"), end(9, 4, 0)].concat(),
        [words(b"PK\x01\x02"), end(0xfff0, 1 << 22, 1).repeat(2900)].concat(),
        [&directory.repeat(MIB / size * 4)[..], &end(0xffff, 7, 1).repeat(2900)].concat(),
        [&directory.repeat(MIB / size * 4)[..], &end((4 * MIB / size * count).min(65_000) as u16, size as u32, 0)]
            .concat(),
        [words(b"PK\x03\x04"), end(1, 46, 0)].concat(),
    ];
    for (i, bytes) in files.iter().enumerate() {
        let file = hostile(bytes);
        let before = bytes_read();
        let (text, most) = refusal(measured(|| Npz::open(&file.path)));
        let read = bytes_read() - before;
        check_memory(most, directory_memory(file.len));
        assert!(read < 2 * file.len + MIB, "file {i} of {} bytes: {read} were read ({text})", file.len);
    }
    // Signatures inside a comment, and an archive inside another, are accepted.
    let inner = Member::new("inner.npz", false, &good);
    let array = |name: &str, array: Vec<u8>| Member::new(name, true, &array);
    let outer = zip(&[array("x.npy", npy("|u1", "(1, 1, 1)", &[5])), array("y.npy", npy("|u1", "(1,)", &[1])), inner]);
    let mut commented = outer.clone();
    let len = commented.len();
    commented[len - 2] = 9;
    commented.extend(b"a comment");
    for sound in [outer, commented.clone(), [b"#!/bin/sh\n".repeat(99), commented].concat()] {
        assert_eq!(Dataset::from_npz(&hostile(&sound).path, "x", "y").unwrap().labels(), Some(&[1][..]));
    }
}

#[test]
fn an_array_in_fortran_s_order_takes_no_more_than_is_promised() {
    let _turn = turn();
    let text = "{'descr': '|u1', 'fortran_order': True, 'shape': (3000, 40, 50), }\n";
    let head = [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes()].concat();
    // Each image contains its number modulo 251: the first index changes fastest.
    let pixels: Vec<u8> = (0..3000 * 40 * 50).map(|i| (i % 3000 % 251) as u8).collect();
    let file = hostile(&zip(&[
        Member::new("x.npy", true, &[head, pixels].concat()),
        Member::new("y.npy", true, &npy(">i8", "(3000,)", &[0; 24_000])),
    ]));
    let (data, most) = measured(|| Dataset::from_npz(&file.path, "x", "y"));
    let content = damage::content(data.unwrap());
    assert!(content.pixels.chunks(2000).enumerate().all(|(i, image)| image.iter().all(|&p| p == (i % 251) as f32)));
    check_memory(most, directory_memory(file.len) + 2 * (3000 * 2000 + 4 * 3000));
}

#[test]
fn members_inside_of_members_are_read_as_their_headers_say() {
    let _turn = turn();
    // The stored content of one member is the local header and content of another one, whose entry points there.
    let inner = npy("|u1", "(2, 1, 1)", &[5, 6]);
    let whole = zip(&[Member::new("x.npy", false, &inner)]);
    let local = &whole[..30 + 5 + inner.len()];
    let outer = Member::new("o.bin", false, local);
    let entry = Member { place: Some(30 + 5), ..Member::new("x.npy", false, &inner) };
    let labels = Member::new("y.npy", false, &npy("|u1", "(2,)", &[1, 2]));
    let file = hostile(&zip(&[outer, entry, labels]));
    match measured(|| Dataset::from_npz(&file.path, "x", "y")) {
        (Ok(data), most) => {
            assert_eq!((data.shape(), data.labels()), (vec![2, 1, 1], Some(&[1, 2][..])));
            check_memory(most, directory_memory(file.len) + MIB);
        }
        (Err(error), _) => files::verdict::check_error(&error),
    }
}

#[test]
fn messages_show_names_out_of_a_file_as_text_of_bounded_length() {
    let _turn = turn();
    let name = format!("a\0\u{1b}[31m{}", "n".repeat(60_000));
    let array = |descr: &str, shape: &str| Member::new(&format!("{name}.npy"), true, &npy(descr, shape, &[0; 4]));
    for member in
        [array("|u1", "(4,)"), array("<i4", "(1, 1, 1)"), array(&"<f4".repeat(99), "(1,)"), array("|u1", "(9,)")]
    {
        let file = hostile(&zip(&[member]));
        files::verdict::check_error(&Dataset::from_npz(&file.path, &name, &name).unwrap_err());
        files::verdict::check_error(&Dataset::from_npz(&file.path, "x", &name).unwrap_err());
    }
}

#[test]
fn headers_of_tensors_take_what_their_text_takes() {
    let _turn = turn();
    let (small, saved) = (model(), hostile(&[]));
    let before = trained::weights(&small, &saved.path);
    let load = |bytes: &[u8]| {
        let file = hostile(bytes);
        for (result, most) in
            [measured(|| small.load_weights(&file.path)), measured(|| Model::load(&file.path).map(drop))]
        {
            files::verdict::check_error(&result.unwrap_err());
            check_memory(most, MIB + 64 * file.len.min(16 * MIB));
            println!("{} bytes: {} times as much memory", file.len, most / file.len);
        }
        assert!(trained::weights(&small, &saved.path) == before);
    };
    for claimed in [u64::MAX, 1 << 62, (16 << 20) + 1, 100, 17] {
        load(&[&claimed.to_le_bytes()[..], &[b' '; 16]].concat());
    }
    let many = |entry: &dyn Fn(usize) -> String, count: usize| {
        let entries: Vec<_> = (0..count).map(entry).collect();
        safetensors(&format!("{{{}}}", entries.join(",")), &[])
    };
    load(&many(&|i| format!(r#""{i:x}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#), 40_000));
    load(&many(
        &|i| format!(r#""{i:x}":{{"dtype":"F32","shape":[0{}],"data_offsets":[0,0]}}"#, ",1".repeat(99)),
        8_000,
    ));
    load(&safetensors(&format!(r#"{{"a":[0{}]}}"#, ",0".repeat(2 << 20)), &[]));
    load(&safetensors(&format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000)), &[]));
    let texts = many(&|i| format!(r#""{i:x}":"""#), 300_000);
    let texts = String::from_utf8(texts[8..].to_vec()).unwrap();
    load(&safetensors(&format!(r#"{{"__metadata__":{texts}}}"#), &[]));
    // A description with a million empty values.
    let text = format!(r#"{{\"name\":\"m\",\"layers\":[0{}]}}"#, ",0".repeat(500_000));
    let header = format!(r#"{{"__metadata__":{{"format":"mnist-model","version":"1","model":"{text}"}}}}"#);
    load(&safetensors(&header, &[]));
}

#[test]
fn damaged_archives() {
    let _turn = turn();
    let mut trials = Trials::new("npz", 33 * MIB, 64);
    let good = damage::arrays();
    for deflated in [true, false] {
        let members: Vec<_> = good.iter().map(|(name, array)| Member::new(name, deflated, array)).collect();
        let file = zip(&members);
        let expected = trials.load(&file, |path| load_data(Some(path)).map(damage::contents)).unwrap();
        let parts: Vec<_> = file.windows(2).enumerate().filter(|(_, two)| *two == b"PK").map(|(i, _)| i).collect();
        for damaged in damage::of(&file, &parts) {
            // The checksums are unchanged, so a file that loads must have the original content.
            if let Ok(found) = trials.load(&damaged, |path| load_data(Some(path)).map(damage::contents)) {
                assert!(found == expected, "other content");
            }
        }
    }
    for (which, (name, array)) in good.iter().enumerate() {
        for damaged in damage::of(array, &[6, 8, 10, array.len() - 4]) {
            let mut arrays = good.clone();
            arrays[which].1 = damaged.clone();
            let members: Vec<_> = arrays.iter().map(|(name, array)| Member::new(name, true, array)).collect();
            if let Ok(found) = trials.load(&zip(&members), |path| load_data(Some(path)).map(damage::contents)) {
                let data = &found[which / 2];
                let count = data.labels.len();
                assert!(data.pixels.len().is_multiple_of(count), "{name}");
                if *name == "x_train.npy" && data.pixels.len() < damaged.len() {
                    let bytes = &damaged[damaged.len() - data.pixels.len()..];
                    let same = bytes.iter().zip(&data.pixels).all(|(&byte, &pixel)| f32::from(byte) == pixel);
                    assert!(same || damaged.windows(3).any(|w| w == b"f4'" || w == b"f8'"), "{name}: other pixels");
                }
            }
        }
    }
    trials.report(20_000);
}

#[test]
fn damaged_idx_files() {
    let _turn = turn();
    let mut trials = Trials::new("IDX and gzip", 5 * MIB / 4, 1032);
    let labels = hostile(&idx(&[3], &[1, 0, 2]));
    let file = idx(&[3, 2, 2], &[9; 12]);
    let mut check = |damaged: &[u8], plain: Option<&[u8]>| {
        let loaded = trials.load(damaged, |path| Dataset::from_idx(path, &labels.path).map(damage::content));
        if let Ok(found) = loaded {
            let end = plain.map_or(&[9; 12][..], |plain| &plain[plain.len() - found.pixels.len()..]);
            assert!(end.iter().zip(&found.pixels).all(|(&byte, &pixel)| f32::from(byte) == pixel) && end.len() == 12);
        }
    };
    for damaged in damage::of(&file, &[4, 8, 12, 16]) {
        check(&damaged, Some(&damaged));
        check(&gzip(&damaged), Some(&damaged));
    }
    let packed = gzip(&file);
    assert!(
        crc(&file) == u32::from_le_bytes(packed[packed.len() - 8..][..4].try_into().unwrap())
            && !deflate(&file).is_empty()
    );
    for damaged in damage::of(&packed, &[2, 3, 4, 10, packed.len() - 8, packed.len() - 4]) {
        check(&damaged, None);
    }
    trials.report(2_000);
}

#[test]
fn damaged_weights_models_and_checkpoints() {
    let _turn = turn();
    damage::tensors::weights();
    damage::tensors::models();
    damage::tensors::checkpoints();
}
