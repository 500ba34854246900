//! Prints the JSON Schema of the configuration file, as it is kept in `config/schema.json`.

fn main() {
    println!("{:#}", miroir_config::schema());
}
