use std::collections::BTreeMap;

use tiegel_types::Digest;

use crate::db::in_lists;
use crate::{Result, Store};

/// As it was given; whether it fits is for the reader to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSignature {
    /// The public key.
    pub signer: String,
    pub signature: String,
}

impl Store {
    /// Adds signatures of a component. One by the same key is replaced.
    #[tracing::instrument(name = "db.signatures.add", skip_all)]
    pub async fn add_signatures(
        &self,
        digest: &Digest,
        signatures: Vec<StoredSignature>,
        created_ms: i64,
    ) -> Result<()> {
        if signatures.is_empty() {
            return Ok(());
        }
        let digest = digest.to_string();
        self.transact(move |tx| {
            for StoredSignature { signer, signature } in &signatures {
                tx.execute(
                    "INSERT INTO plugin_signatures (digest, signer, signature, created_ms) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (digest, signer) DO UPDATE SET signature = excluded.signature",
                    &[(&digest).into(), signer.into(), signature.into(), created_ms.into()],
                )?;
            }
            Ok(())
        })
        .await
    }

    /// The signatures of components, by digest and then by key.
    #[tracing::instrument(name = "db.signatures.list", skip_all)]
    pub async fn signatures(&self, digests: &[Digest]) -> Result<BTreeMap<Digest, Vec<StoredSignature>>> {
        let digests: Vec<String> = digests.iter().map(Digest::to_string).collect();
        self.query(move |tx| {
            let texts: Vec<&str> = digests.iter().map(String::as_str).collect();
            let mut found = BTreeMap::<Digest, Vec<StoredSignature>>::new();
            for (places, values) in in_lists(&texts, 1) {
                let sql = format!(
                    "SELECT digest, signer, signature FROM plugin_signatures WHERE digest IN ({places}) ORDER BY signer"
                );
                tx.for_each(&sql, &values, |row| {
                    let signature = StoredSignature { signer: row.text(1)?, signature: row.text(2)? };
                    found.entry(row.parsed(0)?).or_default().push(signature);
                    Ok(())
                })?;
            }
            Ok(found)
        })
        .await
    }

    /// Takes a key's signature of a component back.
    #[tracing::instrument(name = "db.signatures.delete", skip_all)]
    pub async fn delete_signature(&self, digest: &Digest, signer: &str) -> Result<()> {
        let (digest, signer) = (digest.to_string(), signer.to_owned());
        self.transact(move |tx| {
            let sql = "DELETE FROM plugin_signatures WHERE digest = $1 AND signer = $2";
            tx.execute(sql, &[(&digest).into(), (&signer).into()])?;
            Ok(())
        })
        .await
    }
}
