use std::fs;

use object_store::memory::InMemory;

use super::*;

fn write(folder: &FilePath, name: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, name).unwrap();
}

fn names(files: &[ImportedFile]) -> Vec<&str> {
    files.iter().map(|file| file.name.as_str()).collect()
}

#[tokio::test]
async fn files_below_an_allowed_folder_are_imported_by_pattern() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["2013/02.csv", "2013/01.csv", "2013/notes.txt", "2014/01.csv", "2013/deep/03.csv"] {
        write(folder.path(), name);
    }
    let blobs = Blobs::open("memory:///", vec![]).unwrap();
    let roots = [folder.path().to_owned()];
    let import = async |pattern: &str| {
        let url = format!("file://{}/{pattern}", folder.path().display());
        blobs.import_url(&url, &roots).await.unwrap()
    };
    let files = import("2013/*.csv").await;
    assert_eq!(names(&files), ["01.csv", "02.csv"]);
    assert_eq!(files[0].digest, Digest::of(b"2013/01.csv"));
    assert_eq!(&blobs.get(&files[0].digest).await.unwrap()[..], b"2013/01.csv");
    assert_eq!(names(&import("**/0?.csv").await), ["2013/01.csv", "2013/02.csv", "2013/deep/03.csv", "2014/01.csv"]);
    assert_eq!(names(&import("2014/01.csv").await), ["01.csv"]);
    assert_eq!(names(&import("2015/*.csv").await), [""; 0]);
}

#[tokio::test]
async fn a_file_outside_the_allowed_folders_is_refused_even_through_a_link() {
    let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(outside.path(), "secret.csv");
    std::os::unix::fs::symlink(outside.path().join("secret.csv"), inside.path().join("link.csv")).unwrap();
    let blobs = Blobs::open("memory:///", vec![]).unwrap();
    let roots = [inside.path().to_owned()];
    for path in [outside.path().join("secret.csv"), inside.path().join("link.csv"), inside.path().join("../secret.csv")]
    {
        let imported = blobs.import_url(&format!("file://{}", path.display()), &roots).await;
        assert!(imported.as_ref().is_err() || imported.as_ref().is_ok_and(Vec::is_empty), "{imported:?}");
    }
    let url = format!("file://{}", inside.path().join("link.csv").display());
    let refused = blobs.import_url(&url, &roots).await.unwrap_err().to_string();
    assert!(refused.contains("may not read") && refused.contains("config"), "{refused}");
}

#[tokio::test]
async fn a_url_that_cannot_be_read_says_why() {
    let blobs = Blobs::open("memory:///", vec![]).unwrap();
    for (url, why) in [
        ("ftp://host/a.csv", "use s3://"),
        ("flights.csv", "not a URL"),
        ("https://host/a.csv?token=1", "has a query"),
        ("https://host/*.csv", "no list of its files"),
        ("file://host/a.csv", "not an absolute path"),
    ] {
        let refused = blobs.import_url(url, &[]).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{url}: {refused}");
    }
}

#[tokio::test]
async fn objects_of_a_bucket_are_matched_below_the_fixed_part() {
    let store = InMemory::new();
    for path in ["raw/flights/2013/01.csv", "raw/flights/2013/02.txt", "raw/flights-old/01.csv", "raw/flights/01.csv"] {
        store.put(&Path::from(path), "x".into()).await.unwrap();
    }
    let found = async |pattern| {
        let objects = matching(&store, &Path::from("raw/flights"), pattern).await.unwrap();
        objects.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(found("*.csv").await, ["01.csv"]);
    assert_eq!(found("**/*.csv").await, ["01.csv", "2013/01.csv"]);
    assert_eq!(fixed_part("s3://raw/flights/*/[ab].csv"), "s3://raw/flights/");
}
