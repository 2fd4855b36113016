//! Rows into the new database, table by table.

use tokio::sync::mpsc;

use crate::store::StoreError;
use crate::store::postgres::Target;
use crate::store::sqlite::Source;
use crate::store::tables::TABLES;

pub(super) async fn move_all(source: &Source, target: &Target, tell: &(dyn Fn(&str) + Sync)) -> Result<(), StoreError> {
    for table in &TABLES {
        let after = if table.has_ids {
            target.last_id(table).await?
        } else {
            i64::MIN
        };
        let (sender, mut batches) = mpsc::channel::<Vec<String>>(2);
        let reader = source.another()?;
        let reading =
            tokio::task::spawn_blocking(move || reader.rows(table, after, |batch| sender.blocking_send(batch).is_ok()));
        while let Some(batch) = batches.recv().await {
            target.insert(table, &batch).await?;
        }
        let read = reading
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        read?;
        let (wanted, found) = (source.count(table)?, target.count(table).await?);
        if wanted != found {
            return Err(StoreError::Unavailable(format!(
                "{}: {found} rows are there of {wanted}: it is not the same database any more, begin with an empty one",
                table.name
            )));
        }
        if table.has_ids {
            target.go_on_after(table, source.last_given_id(table)?).await?;
        }
        tell(&format!("{}: {found} rows", table.name));
    }
    target.finish().await
}
