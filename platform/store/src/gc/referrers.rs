use std::collections::{BTreeMap, BTreeSet};

use tiegel_types::Digest;

use crate::artifacts::below;
use crate::db::{Tx, in_lists};
use crate::{Result, Store};

/// Columns that name blobs, in whatever text: any digest there counts. A table that comes to hold digests belongs here;
/// `artifacts` has an index and is asked by digest.
const NAMING: [(&str, &str); 13] = [
    ("resources", "spec"),
    ("dataset_versions", "\"table\""),
    ("plugins", "digest"),
    ("oci_manifests", "digest"),
    ("oci_manifests", "names"),
    ("jobs", "payload"),
    ("steps", "inputs"),
    ("steps", "output"),
    ("cache", "inputs"),
    ("cache", "output"),
    ("checkpoints", "digest"),
    ("model_versions", "bundle"),
    ("endpoints_status", "live_bundle"),
];
/// Columns whose digests are bundles, which name further blobs.
const BUNDLES: [(&str, &str); 2] = [("model_versions", "bundle"), ("endpoints_status", "live_bundle")];
/// Columns that may hold `"bundle":"sha256:…"`.
const WITH_BUNDLES: [(&str, &str); 2] = [("steps", "output"), ("cache", "output")];
const BUNDLE_FIELD: &str = "\"bundle\":\"";
/// Below it a folder for each bundle that was registered.
const BUNDLE_FOLDER: &str = "bundles";

/// What one look at the database says of some blobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Referrers {
    /// Those that no row names.
    pub unnamed: BTreeSet<Digest>,
    /// All bundles that rows name.
    pub bundles: BTreeSet<Digest>,
}

impl Store {
    /// Those of the blobs that are no file of any tree.
    #[tracing::instrument(name = "db.gc.not_files", skip_all)]
    pub async fn not_files(&self, mut digests: Vec<Digest>) -> Result<Vec<Digest>> {
        self.query(move |tx| {
            let files = files(tx, digests.iter())?;
            digests.retain(|digest| !files.contains(digest));
            Ok(digests)
        })
        .await
    }

    /// The paths of the files that these blobs are.
    #[tracing::instrument(name = "db.gc.paths", skip_all)]
    pub async fn paths_of(&self, digests: Vec<Digest>) -> Result<BTreeMap<Digest, Vec<String>>> {
        self.query(move |tx| {
            let texts: Vec<String> = digests.iter().map(Digest::to_string).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let mut paths = BTreeMap::<Digest, Vec<String>>::new();
            for (places, values) in in_lists(&texts, 1) {
                let sql = format!("SELECT digest, path FROM artifacts WHERE digest IN ({places})");
                tx.for_each(&sql, &values, |row| {
                    paths.entry(row.parsed(0)?).or_default().push(row.text(1)?);
                    Ok(())
                })?;
            }
            Ok(paths)
        })
        .await
    }

    /// The bundles that rows name.
    #[tracing::instrument(name = "db.gc.bundles", skip_all)]
    pub async fn named_bundles(&self) -> Result<BTreeSet<Digest>> {
        self.query(bundles).await
    }

    /// Who names these blobs, all in one look: a blob that moves from one row to another is not missed.
    ///
    /// Without `with_files`, what is only a file counts as unnamed.
    #[tracing::instrument(name = "db.gc.referrers", skip_all)]
    pub async fn referrers(&self, blobs: BTreeSet<Digest>, with_files: bool) -> Result<Referrers> {
        self.query(move |tx| {
            let mut unnamed = blobs;
            if with_files {
                let named = files(tx, unnamed.iter())?;
                unnamed.retain(|digest| !named.contains(digest));
            }
            if !unnamed.is_empty() {
                for (table, column) in NAMING {
                    for_each_text(tx, (table, column), |text| {
                        Digest::all_in(text).for_each(|digest| {
                            unnamed.remove(&digest);
                        });
                    })?;
                }
            }
            Ok(Referrers { unnamed, bundles: bundles(tx)? })
        })
        .await
    }
}

fn files<'a>(tx: &mut Tx<'_>, digests: impl Iterator<Item = &'a Digest>) -> Result<BTreeSet<Digest>> {
    let texts: Vec<String> = digests.map(Digest::to_string).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut found = BTreeSet::new();
    for (places, values) in in_lists(&texts, 1) {
        let sql = format!("SELECT DISTINCT digest FROM artifacts WHERE digest IN ({places})");
        tx.for_each(&sql, &values, |row| {
            found.insert(row.parsed(0)?);
            Ok(())
        })?;
    }
    Ok(found)
}

fn bundles(tx: &mut Tx<'_>) -> Result<BTreeSet<Digest>> {
    let mut bundles = BTreeSet::new();
    for column in BUNDLES {
        for_each_text(tx, column, |text| bundles.extend(Digest::all_in(text)))?;
    }
    for column in WITH_BUNDLES {
        for_each_text(tx, column, |text| {
            let starts = text.match_indices(BUNDLE_FIELD).map(|(at, field)| &text[at + field.len()..]);
            bundles.extend(starts.filter_map(Digest::at_start));
        })?;
    }
    let (first, end) = below(BUNDLE_FOLDER);
    let sql = "SELECT path, digest FROM artifacts WHERE path > $1 AND path < $2";
    tx.for_each(sql, &[(&first).into(), (&end).into()], |row| {
        if row.str(0)?.ends_with("/bundle.json") {
            bundles.insert(row.parsed(1)?);
        }
        Ok(())
    })?;
    Ok(bundles)
}

fn for_each_text(tx: &mut Tx<'_>, (table, column): (&str, &str), mut each: impl FnMut(&str)) -> Result<()> {
    let sql = format!("SELECT {column} FROM {table} WHERE {column} IS NOT NULL");
    tx.for_each(&sql, &[], |row| {
        each(row.str(0)?);
        Ok(())
    })
}
