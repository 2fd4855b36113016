//! `retry`: failed rows are due at the next pass.

use std::path::Path;

use super::exit;
use super::output::print;
use crate::device;
use crate::row::Table;

/// Sets failed rows to `pending`.
pub(super) fn retry(path: &Path, table: Option<Table>, id: Option<i64>) -> Result<u8, String> {
    let count = device::retry(path, table, id).map_err(|error| error.to_string())?;
    if count == 0 && id.is_some() {
        print("❌ Cette ligne n'est pas en échec: rien à réessayer\n");
        return Ok(exit::INCOMPLETE);
    }
    print(&format!("✅ {count} ligne(s) à réessayer à la prochaine passe\n"));
    Ok(exit::OK)
}
