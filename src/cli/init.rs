use super::exit::Exit;
#[derive(clap::Args)]
pub struct InitArgs {}
pub fn run(_: &InitArgs, _: Option<&std::path::Path>) -> crate::error::Result<Exit> {
    Ok(Exit::Ok)
}
