//! The groups that exist from the beginning.

use chat_core::{Actor, Name, UserId};
use chat_protocol::code::{Code, Refusal};
use chat_protocol::dialect::group;
use chat_protocol::room_ref::RoomRef;

use crate::desk::Desk;
use crate::node::Node;
use crate::server::RunError;

/// Makes the groups that the configuration names, those of them that don't exist.
pub(crate) async fn found_groups(node: &Node) -> Result<(), RunError> {
    for name in &node.config().groups {
        let made = found(node, name).await;
        made.map_err(|why| RunError::Group {
            name: name.clone(),
            why,
        })?;
    }
    Ok(())
}

/// As a guest: what a guest makes belongs to the house. Each is another one, so that no bound on
/// how much somebody makes in a day is in the way.
async fn found(node: &Node, name: &Name) -> Result<(), Refusal> {
    let house = Name::new("house").expect("a plain word is a name");
    let actor = Actor::new(UserId::guest(node.draw()), house);
    let desk = Desk {
        node,
        actor: &actor,
        from: None,
        whence: None,
    };
    let called = RoomRef::named(name.as_str());
    match desk.resolve(&called).await {
        Err(refusal) if refusal.code == Code::RoomNotFound => {
            let made = desk.make(group(name.clone()), &called).await?;
            tracing::info!(room = made.number(), group = %name, "made a group");
            Ok(())
        }
        found => found.map(drop),
    }
}
