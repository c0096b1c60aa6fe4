use std::path::{Path, PathBuf};

use veriface::{
    Chip, Error, ErrorCode, Manifest, Pack, PackKey, PackSigningKey, Part, PartKind, Result, Trust, Verifier, replace_file,
};

use crate::setup::Setup;
use crate::{Outcome, print_line};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Make a pack of two networks and a manifest
    Make(Make),
    /// Make a key to sign packs with: the secret one in a file, the public one on the screen and in FILE.pub
    Key(Key),
    /// Sign a pack
    Sign(Sign),
    /// Say whether a pack is whole and signed with this key
    Verify(Verify),
}

#[derive(clap::Args)]
pub struct Key {
    /// The file of the secret key, which must not exist yet
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

#[derive(clap::Args)]
pub struct Sign {
    /// The pack, which is replaced by the signed one
    #[arg(value_name = "FILE.vfpack")]
    file: PathBuf,
    /// The file of the secret key, made by `veriface pack key`
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

#[derive(clap::Args)]
pub struct Verify {
    /// The pack
    #[arg(value_name = "FILE.vfpack")]
    file: PathBuf,
    /// The public key, 64 hexadecimal digits
    #[arg(long, value_name = "KEY")]
    key: PackKey,
}

#[derive(clap::Args)]
pub struct Make {
    /// The detector, ONNX
    #[arg(long, value_name = "FILE.onnx")]
    detector: PathBuf,
    /// The recogniser, ONNX
    #[arg(long, value_name = "FILE.onnx")]
    recogniser: PathBuf,
    /// The manifest, JSON; docs/pack-format.md describes it
    #[arg(long, value_name = "FILE.json")]
    manifest: PathBuf,
    /// The pack to write
    #[arg(long, short, value_name = "FILE.vfpack")]
    output: PathBuf,
    /// Sign it with the secret key in this file, made by `veriface pack key`
    #[arg(long, value_name = "FILE")]
    sign: Option<PathBuf>,
}

pub fn run(setup: &Setup, command: &Command) -> Result<Outcome> {
    match command {
        Command::Make(args) => make(setup, args),
        Command::Key(args) => key(setup, args),
        Command::Sign(args) => sign(setup, args),
        Command::Verify(args) => verify(setup, args),
    }
}

fn make(setup: &Setup, args: &Make) -> Result<Outcome> {
    let mut manifest = Manifest::from_json(&read(&args.manifest)?).map_err(|e| e.in_file(&args.manifest))?;
    manifest.created_by = concat!("veriface ", env!("CARGO_PKG_VERSION")).into();
    let network = |name: &str, path: &Path| Ok(Part::new(name, PartKind::Onnx, read(path)?));
    let parts = vec![network(&manifest.detector.part, &args.detector)?, network(&manifest.recogniser.part, &args.recogniser)?];
    // The pack must load here before anyone else is handed it; this machine's embedding becomes the self-test.
    let mut pack = Verifier::from_pack(Pack::new(manifest, parts)?)?.finished_pack(&Chip::drawn_face())?;
    if let Some(path) = &args.sign {
        pack = pack.signed(&PackSigningKey::open(path)?);
    }
    pack.save(&args.output)?;
    let (id, model) = (&pack.manifest().id, pack.model_id().to_string());
    if setup.json {
        print_line(serde_json::json!({ "pack": args.output, "id": id, "model": model }))?;
    } else {
        print_line(format_args!("{}: {id}, model {model}", args.output.display()))?;
    }
    Ok(Outcome::Done)
}

fn key(setup: &Setup, args: &Key) -> Result<Outcome> {
    let path = &args.output;
    if path.exists() {
        return Err(Error::new(ErrorCode::CannotWrite, "it is there already, and a key is not replaced").in_file(path));
    }
    let key = PackSigningKey::generate()?;
    // Nobody else may read it, from the first byte on.
    private(path).map_err(|error| Error::new(ErrorCode::CannotWrite, error.to_string()).in_file(path))?;
    replace_file(path, |to| writeln!(to, "{}", *key.to_text()))?;
    let mut public = path.clone().into_os_string();
    public.push(".pub");
    replace_file(&public, |to| writeln!(to, "{}", key.public()))?;
    if setup.json {
        print_line(serde_json::json!({ "key": path, "public": key.public().to_string() }))?;
    } else {
        print_line(key.public())?;
    }
    Ok(Outcome::Done)
}

/// An empty file that only its owner may read, where the system knows owners.
fn private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn sign(setup: &Setup, args: &Sign) -> Result<Outcome> {
    let pack = Pack::open(&args.file, Trust::Unsigned)?.signed(&PackSigningKey::open(&args.key)?);
    pack.save(&args.file)?;
    report(setup, &args.file, &pack)
}

fn verify(setup: &Setup, args: &Verify) -> Result<Outcome> {
    let pack = Pack::open(&args.file, Trust::SignedBy(args.key))?;
    // An ONNX part that stays in the file is hashed when it is read.
    pack.parts().iter().try_for_each(|part| part.bytes().map(drop)).map_err(|e| e.in_file(&args.file))?;
    report(setup, &args.file, &pack)
}

fn report(setup: &Setup, path: &Path, pack: &Pack) -> Result<Outcome> {
    let (id, model, key) = (&pack.manifest().id, pack.model_id().to_string(), pack.signed_by().map(|key| key.to_string()));
    if setup.json {
        print_line(serde_json::json!({ "pack": path, "id": id, "model": model, "signed_by": key }))?;
    } else {
        print_line(format_args!("{}: {id}, model {model}, signed by {}", path.display(), key.unwrap_or_default()))?;
    }
    Ok(Outcome::Done)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::new(ErrorCode::CannotRead, e.to_string()).in_file(path))
}
