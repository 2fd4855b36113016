//! `sync-receiver user`: who may read.

use super::{new_password, say};
use crate::config::UserCommand;
use crate::people::{hash, is_name};
use crate::store::people::{NewPerson, Person, Role};
use crate::store::{Desk, OpenedDesk};

pub(super) async fn run(command: &UserCommand, opened: &OpenedDesk) -> Result<(), String> {
    let desk = &*opened.desk;
    match command {
        UserCommand::Add {
            name,
            admin,
            devices,
            no_password,
        } => {
            let role = if *admin { Role::Admin } else { Role::Viewer };
            let line = add(desk, name, role, devices.clone(), *no_password).await?;
            say(&format!("added {line}  in {}", opened.place))
        }
        UserCommand::List => list(desk).await,
        UserCommand::Remove { name } => {
            let removed = desk
                .remove_person(name.clone())
                .await
                .map_err(|error| error.to_string())?;
            found(removed, name)?;
            say(&format!("{name} is removed"))?;
            if !desk.has_people().await.map_err(|error| error.to_string())? {
                say("nobody is left: only this machine may read now")?;
            }
            Ok(())
        }
        UserCommand::Passwd { name } => {
            let person = desk.person(name.clone()).await.map_err(|error| error.to_string())?;
            found(person.is_some(), name)?;
            let hash = hash(&new_password(name)?).map_err(|error| error.to_string())?;
            let changed = desk
                .set_password(name.clone(), hash)
                .await
                .map_err(|error| error.to_string())?;
            found(changed, name)?;
            say(&format!("the password of {name} is changed"))
        }
    }
}

async fn add(
    desk: &dyn Desk,
    name: &str,
    role: Role,
    devices: Option<String>,
    no_password: bool,
) -> Result<String, String> {
    if !is_name(name) {
        return Err(format!(
            "{}: a name has 1 to 100 characters, none of them a control character",
            name.escape_debug()
        ));
    }
    let known = desk.person(name.to_string()).await.map_err(|error| error.to_string())?;
    if known.is_some() {
        return Err(there_already(name));
    }
    let password_hash = if no_password {
        None
    } else {
        Some(hash(&new_password(name)?).map_err(|error| error.to_string())?)
    };
    let person = Person {
        name: name.to_string(),
        role,
        devices: devices.filter(|devices| !devices.is_empty() && devices != "*"),
    };
    let line = described(&person);
    let new = NewPerson { person, password_hash };
    if !desk.add_person(new).await.map_err(|error| error.to_string())? {
        return Err(there_already(name));
    }
    Ok(line)
}

fn there_already(name: &str) -> String {
    format!("{name} is there already: use `sync-receiver user passwd {name}`, or remove them first")
}

fn found(found: bool, name: &str) -> Result<(), String> {
    if found {
        Ok(())
    } else {
        Err(format!(
            "nobody is called {}: see `sync-receiver user list`",
            name.escape_debug()
        ))
    }
}

fn described(person: &Person) -> String {
    let devices = person.devices.as_deref().unwrap_or("all devices");
    format!("{}  {}  {devices}", person.name, person.role.name())
}

async fn list(desk: &dyn Desk) -> Result<(), String> {
    let people = desk.people().await.map_err(|error| error.to_string())?;
    if people.is_empty() {
        return say("nobody: only this machine may read; add the first with `sync-receiver user add NAME --admin`");
    }
    people.iter().try_for_each(|person| say(&described(person)))
}
