//! `sync-receiver token`: which devices may store.

use super::{note, say};
use crate::config::TokenCommand;
use crate::people::{fingerprint, is_name, secret};
use crate::store::OpenedDesk;
use crate::store::people::TOKENS_MOST;

pub(super) async fn run(command: &TokenCommand, opened: &OpenedDesk) -> Result<(), String> {
    let desk = &*opened.desk;
    let say_error = |error: crate::store::StoreError| error.to_string();
    match command {
        TokenCommand::Add { device } => {
            if !is_name(device) {
                return Err(format!(
                    "{}: a device's name has 1 to 100 characters, none of them a control character",
                    device.escape_debug()
                ));
            }
            let token = secret().map_err(|error| error.to_string())?;
            match desk
                .add_token(device.clone(), fingerprint(&token))
                .await
                .map_err(say_error)?
            {
                Some(_) => {
                    note(&format!("a token of {device} is in {}:", opened.place));
                    say(&token)
                }
                None => Err(format!(
                    "{device} has {TOKENS_MOST} tokens already: revoke one first, see `sync-receiver token list`"
                )),
            }
        }
        TokenCommand::List => {
            let tokens = desk.tokens().await.map_err(say_error)?;
            tokens
                .iter()
                .try_for_each(|token| say(&format!("{}  {}  {}", token.id, token.device_id, token.created_at)))
        }
        TokenCommand::Revoke { number } => {
            if desk.revoke_token(*number).await.map_err(say_error)? {
                say(&format!("token {number} is revoked"))?;
                if !desk.token_device(None).await.map_err(say_error)?.0 {
                    say(
                        "no token is left: unless RECEIVER_TOKENS_FILE has one, whoever reaches the receiver may store now",
                    )?;
                }
                Ok(())
            } else {
                Err(format!("there is no token {number}: see `sync-receiver token list`"))
            }
        }
    }
}
