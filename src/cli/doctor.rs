use super::exit::Exit;
#[derive(clap::Args)]
pub struct DoctorArgs {}
pub fn run(_: &DoctorArgs) -> crate::error::Result<Exit> {
    Ok(Exit::Ok)
}
