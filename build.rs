//! Checks that SQLite is built with what the clip reader needs.

#[allow(clippy::disallowed_methods, reason = "a build script has no other way to be told")]
fn main() {
    println!("cargo::rerun-if-env-changed=LIBSQLITE3_FLAGS");
    let flags = std::env::var("LIBSQLITE3_FLAGS").unwrap_or_default();
    if !flags.contains("SQLITE_ENABLE_DBPAGE_VTAB") {
        println!(
            "cargo::error=LIBSQLITE3_FLAGS lacks -DSQLITE_ENABLE_DBPAGE_VTAB; build inside the repository, whose .cargo/config.toml sets it"
        );
    }
}
