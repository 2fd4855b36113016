//! Whose clips a place has. A database that is new, restored or somebody else's has no rows for them: to it they would all
//! be leftovers. So nothing is swept but by the database that owns the place.

use super::{Store, StoreError};

impl Store {
    /// Whether the place for clips is this database's. One that nobody owns becomes its own where no clip is there, or where
    /// the oldest and most of the old ones have a row here.
    pub(crate) async fn owns_clips(&self) -> Result<bool, StoreError> {
        let id = self.of_rows(self.rows.installation().await)?;
        let mut owner = self.of_clips(self.clips.owner().await)?;
        if owner.is_none() && self.may_own().await? {
            self.of_clips(self.clips.set_owner(id.clone()).await)?;
            // Somebody else may have been faster.
            owner = self.of_clips(self.clips.owner().await)?;
        }
        let is_ours = owner.as_ref() == Some(&id);
        let was_foreign = self.metrics.clips_foreign.set(i64::from(!is_ours)) != 0;
        let place = self.clips.owner_place();
        match (is_ours, was_foreign) {
            (false, false) => {
                let why = match owner {
                    Some(owner) => format!("it names {}", owner.escape_debug()),
                    None => "it is not there, but clips of which this database knows nothing are".to_string(),
                };
                log::error!(
                    "{place}: {why}, so that no leftovers are removed there; look whether this database and this place for \
                     clips belong together: if they do, write {id} into it, else correct the settings"
                );
            }
            (true, true) => log::info!("{place}: the clips are this database's again"),
            _ => {}
        }
        Ok(is_ours)
    }

    async fn may_own(&self) -> Result<bool, StoreError> {
        let names = self.of_clips(self.clips.oldest().await)?;
        let Some(oldest) = names.first() else {
            return Ok(true);
        };
        let owned = self.of_rows(self.rows.owned(names.clone()).await)?;
        Ok(owned.contains(oldest) && owned.len() * 2 > names.len())
    }
}
