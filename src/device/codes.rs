//! What each of SQLite's result codes means for the work: the one table
//! (<https://www.sqlite.org/rescode.html>).

use std::path::Path;

use rusqlite::ffi;

/// What an error of the local database means for the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The file (or its tables) is not there yet: the recorder may create it any moment.
    NotYet,
    /// Passing trouble (locked, disk full, I/O error): worth another try later.
    Transient,
    /// Not writable or not to be opened: wrong from the start, or a card that was remounted read-only
    /// under a running service, which heals.
    Denied,
    /// Nothing that time heals: wrong file, wrong tables, no permission, corruption.
    Unusable,
    /// The row was deleted while it was being read.
    Vanished,
    /// The row was modified while it was being read.
    Changed,
    /// This row alone can't be read; those behind it can.
    Row,
}

/// What a person is told, in French, without the file and without SQLite's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Advice {
    Locked,
    Full,
    ReadOnly,
    Input,
    CannotOpen,
    Denied,
    NotADatabase,
    Corrupt,
    Changed,
    Memory,
    TooLong,
    Constraint,
    Statement,
    Other,
}

/// (code, what it means, what is told). An extended code stands before its primary one where the two differ; what is
/// not listed passes ([`UNLISTED`]): giving up for good is only right where it is known to be.
const CODES: &[(i32, Kind, Advice)] = &[
    // Other programs.
    (ffi::SQLITE_BUSY, Kind::Transient, Advice::Locked),
    (ffi::SQLITE_LOCKED, Kind::Transient, Advice::Locked),
    // The schema changed under a prepared statement more often than SQLite retries.
    (ffi::SQLITE_SCHEMA, Kind::Transient, Advice::Changed),
    (ffi::SQLITE_PROTOCOL, Kind::Transient, Advice::Changed),
    (ffi::SQLITE_ABORT, Kind::Transient, Advice::Changed),
    (ffi::SQLITE_INTERRUPT, Kind::Transient, Advice::Other),
    // Somebody moved or deleted the file: whoever waits finds out which.
    (ffi::SQLITE_READONLY_DBMOVED, Kind::Transient, Advice::Changed),
    // Rights and places. A folder in which SQLite can't make its journal; or a card that fails, which the kernel remounts
    // read-only and a later remount heals.
    (ffi::SQLITE_READONLY, Kind::Denied, Advice::ReadOnly),
    // Also what a full disk gives when the journal can't be created.
    (ffi::SQLITE_CANTOPEN, Kind::Denied, Advice::CannotOpen),
    (ffi::SQLITE_PERM, Kind::Denied, Advice::Denied),
    (ffi::SQLITE_AUTH, Kind::Denied, Advice::Denied),
    (ffi::SQLITE_IOERR_ACCESS, Kind::Denied, Advice::Denied),
    // The card and the memory. A sector that the card can't read is reported as corruption of the file system.
    (ffi::SQLITE_IOERR_CORRUPTFS, Kind::Unusable, Advice::Corrupt),
    (ffi::SQLITE_IOERR_DATA, Kind::Unusable, Advice::Corrupt),
    (ffi::SQLITE_IOERR_NOMEM, Kind::Transient, Advice::Memory),
    (ffi::SQLITE_IOERR, Kind::Transient, Advice::Input),
    (ffi::SQLITE_NOMEM, Kind::Transient, Advice::Memory),
    (ffi::SQLITE_FULL, Kind::Transient, Advice::Full),
    // The file itself.
    (ffi::SQLITE_NOTADB, Kind::Unusable, Advice::NotADatabase),
    (ffi::SQLITE_FORMAT, Kind::Unusable, Advice::NotADatabase),
    (ffi::SQLITE_CORRUPT, Kind::Unusable, Advice::Corrupt),
    (ffi::SQLITE_NOLFS, Kind::Unusable, Advice::Other),
    // One value.
    (ffi::SQLITE_TOOBIG, Kind::Row, Advice::TooLong),
    // A condition or trigger on our tables, as after a repair that left half of them: it holds until people mend it.
    (ffi::SQLITE_CONSTRAINT, Kind::Unusable, Advice::Constraint),
    (ffi::SQLITE_MISMATCH, Kind::Unusable, Advice::Constraint),
    // A table or column that a statement names is not there: another recorder's database.
    (ffi::SQLITE_ERROR, Kind::Unusable, Advice::Statement),
];

/// What a code means that no line names.
const UNLISTED: (Kind, Advice) = (Kind::Transient, Advice::Other);

/// What an extended result code means: by itself, else by its primary code (its lowest byte).
pub(super) fn meaning(extended_code: i32) -> (Kind, Advice) {
    let listed = |code: i32| CODES.iter().find(|(listed, ..)| *listed == code);
    listed(extended_code)
        .or_else(|| listed(extended_code & 0xff))
        .map_or(UNLISTED, |(_, kind, advice)| (*kind, *advice))
}

impl Advice {
    /// One line that names the file.
    pub(super) fn tell(self, path: &Path) -> String {
        let file = path.display();
        let folder = path.parent().unwrap_or(path).display();
        match self {
            Advice::Locked => format!("Base de données verrouillée par un autre programme ({file})"),
            Advice::Full => format!("Disque plein ({file}): libérez de l'espace"),
            Advice::ReadOnly => format!(
                "Base de données en lecture seule ({file}): donnez au service le droit d'écrire le fichier et le dossier \
                 {folder}, ou vérifiez si la carte est montée en lecture seule"
            ),
            Advice::Input => format!("Erreur d'entrée/sortie ({file}): vérifiez la carte SD"),
            Advice::CannotOpen => {
                format!("Impossible d'ouvrir {file}: vérifiez le chemin, les droits du fichier et du dossier")
            }
            Advice::Denied => format!("Accès refusé à {file}: vérifiez les droits du fichier et du dossier"),
            Advice::NotADatabase => format!("{file} n'est pas une base SQLite: vérifiez LOCAL_DB_PATH"),
            Advice::Corrupt => format!(
                "Base de données corrompue ou carte SD illisible ({file}): voyez `dmesg`; \
                 restaurez la base ou réparez-la avec `sqlite3 {file} .recover`"
            ),
            Advice::Changed => format!("Base de données modifiée par un autre programme ({file})"),
            Advice::Memory => format!("Mémoire insuffisante pour lire {file}"),
            Advice::TooLong => format!("Valeur trop longue ({file})"),
            Advice::Constraint => {
                format!("Écriture refusée par une contrainte ou un déclencheur ajouté à la base ({file}): supprimez-le")
            }
            Advice::Statement | Advice::Other => format!("Erreur SQLite ({file})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_meaning() {
        let cases = [
            (ffi::SQLITE_BUSY, Kind::Transient),
            (ffi::SQLITE_BUSY_SNAPSHOT, Kind::Transient),
            (ffi::SQLITE_LOCKED_SHAREDCACHE, Kind::Transient),
            (ffi::SQLITE_READONLY_ROLLBACK, Kind::Denied),
            (ffi::SQLITE_READONLY_DIRECTORY, Kind::Denied),
            (ffi::SQLITE_READONLY_DBMOVED, Kind::Transient),
            (ffi::SQLITE_IOERR_READ, Kind::Transient),
            (ffi::SQLITE_IOERR_FSYNC, Kind::Transient),
            (ffi::SQLITE_IOERR_NOMEM, Kind::Transient),
            (ffi::SQLITE_IOERR_CORRUPTFS, Kind::Unusable),
            (ffi::SQLITE_CANTOPEN_SYMLINK, Kind::Denied),
            (ffi::SQLITE_CORRUPT_INDEX, Kind::Unusable),
            (ffi::SQLITE_CONSTRAINT_TRIGGER, Kind::Unusable),
            (ffi::SQLITE_TOOBIG, Kind::Row),
            (ffi::SQLITE_NOTADB, Kind::Unusable),
        ];
        for (code, kind) in cases {
            assert_eq!(meaning(code).0, kind, "code {code}");
        }
    }

    #[test]
    fn a_code_that_is_not_listed_is_not_given_up_on() {
        for code in [
            ffi::SQLITE_INTERNAL,
            ffi::SQLITE_NOTFOUND,
            ffi::SQLITE_MISUSE,
            77,
            77 | 3 << 8,
        ] {
            assert_eq!(meaning(code), UNLISTED, "code {code}");
        }
    }

    #[test]
    fn no_code_is_listed_twice() {
        for (place, (code, ..)) in CODES.iter().enumerate() {
            assert!(CODES[..place].iter().all(|(other, ..)| other != code), "code {code}");
        }
    }
}
