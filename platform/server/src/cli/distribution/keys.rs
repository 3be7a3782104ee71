use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use tiegel_signing::{FILE_SUFFIX, PublicKey, Signature, SigningKey, SystemRandom};
use tiegel_types::Digest;

/// Bytes of a file with signatures, one a line.
const SIGNATURES_BYTES_MAX: u64 = 64 << 10;

#[derive(Args)]
pub struct Keygen {
    /// Writes NAME.key, which is secret, and NAME.pub.
    #[arg(default_value = "tiegel")]
    name: PathBuf,
}

#[derive(Args)]
pub struct Sign {
    file: PathBuf,
    /// The private key's file.
    #[arg(long)]
    key: PathBuf,
}

#[derive(Args)]
pub struct Verify {
    file: PathBuf,
    /// The signatures; by default FILE.sig.
    #[arg(long)]
    signature: Option<PathBuf>,
    /// A public key, or its file; may be given several times. One of them must have signed.
    #[arg(long, required = true)]
    trusted: Vec<String>,
}

pub fn generate(args: &Keygen) -> anyhow::Result<ExitCode> {
    let key = SigningKey::generate(&SystemRandom::new())?;
    let (secret, public) = (with_suffix(&args.name, ".key"), with_suffix(&args.name, ".pub"));
    write_secret(&secret, &key.to_pem()).with_context(|| format!("cannot make {}", secret.display()))?;
    std::fs::write(&public, format!("{}\n", key.public_key()))?;
    println!("{} is secret; {} holds {}", secret.display(), public.display(), key.public_key());
    Ok(ExitCode::SUCCESS)
}

/// For its owner alone, and never over another key.
fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

pub fn sign(args: &Sign) -> anyhow::Result<ExitCode> {
    let wasm = super::push::read(&args.file)?;
    let signature = read_key(&args.key)?.sign(&Digest::of(&wasm));
    let out = with_suffix(&args.file, FILE_SUFFIX);
    let others = if out.exists() { read_signatures(&out)? } else { vec![] };
    let others = others.into_iter().filter(|other| other.key() != signature.key());
    let others = others.filter(|other| other.verify(&Digest::of(&wasm)).is_ok());
    let all: Vec<Signature> = others.chain([signature]).collect();
    write_signatures(&out, &all)?;
    println!("{} by {}", out.display(), signature.key());
    Ok(ExitCode::SUCCESS)
}

pub fn verify(args: &Verify) -> anyhow::Result<ExitCode> {
    let wasm = super::push::read(&args.file)?;
    let from = args.signature.clone().unwrap_or_else(|| with_suffix(&args.file, FILE_SUFFIX));
    let key = check(&Digest::of(&wasm), &read_signatures(&from)?, &args.trusted)?;
    println!("{} is what {key} signed", args.file.display());
    Ok(ExitCode::SUCCESS)
}

/// Which of the trusted keys signed. A signature that does not fit is an error even beside one that does.
pub fn check(digest: &Digest, signatures: &[Signature], trusted: &[String]) -> anyhow::Result<PublicKey> {
    let trusted = trusted.iter().map(|text| read_public(text)).collect::<anyhow::Result<Vec<_>>>()?;
    for signature in signatures {
        signature.verify(digest)?;
    }
    let signed = signatures.iter().map(Signature::key).find(|key| trusted.contains(key));
    let Some(key) = signed else {
        bail!("none of its {} signatures is by a key that you trust", signatures.len());
    };
    Ok(key)
}

fn read_public(text: &str) -> anyhow::Result<PublicKey> {
    let path = Path::new(text);
    if !path.is_file() {
        return Ok(text.parse()?);
    }
    std::fs::read_to_string(path)?.parse().with_context(|| path.display().to_string())
}

pub fn read_key(path: &Path) -> anyhow::Result<SigningKey> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    SigningKey::from_pem(&text).with_context(|| path.display().to_string())
}

pub fn read_signatures(path: &Path) -> anyhow::Result<Vec<Signature>> {
    let context = || format!("cannot read {}", path.display());
    if std::fs::metadata(path).with_context(context)?.len() > SIGNATURES_BYTES_MAX {
        bail!("{} is larger than any file of signatures", path.display());
    }
    let text = std::fs::read_to_string(path).with_context(context)?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| line.parse().with_context(|| path.display().to_string())).collect()
}

pub fn write_signatures(path: &Path, signatures: &[Signature]) -> anyhow::Result<()> {
    let text: String = signatures.iter().map(|signature| format!("{signature}\n")).collect();
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// `a.wasm` with `.sig` is `a.wasm.sig`.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
