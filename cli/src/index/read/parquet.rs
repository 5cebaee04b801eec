//! Parquet (cargo feature `parquet`): the columns of the id, the vector (a list of numbers) and the texts; every other column is a
//! field. Dates and timestamps become milliseconds since the epoch.

use super::super::record::{Faults, Place, name_of};
use super::{Input, Names, jsonl};
use crate::problem::Stop;
use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
use ::parquet::record::Field;
use serde_json::{Map, Value};
use std::fs::File;
use std::path::Path;

const DAY_MILLIS: i64 = 86_400_000;

/// Reads all rows; those at fault are noted and left out.
///
/// # Errors
/// No Parquet file, or one that broke off.
pub fn read(path: &Path, names: &Names, faults: &mut Faults) -> Result<Input, Stop> {
    let failed = |error: &dyn std::fmt::Display| {
        Stop::new(format!("cannot read {}: {error}", path.display()), "is this a Parquet file, whole?")
    };
    let reader = SerializedFileReader::new(File::open(path).map_err(|error| failed(&error))?);
    let reader = reader.map_err(|error| failed(&error))?;
    let metadata = reader.metadata().file_metadata().key_value_metadata().into_iter().flatten();
    let model = metadata.filter(|entry| entry.key == "model").find_map(|entry| entry.value.clone());
    let (file, mut records) = (name_of(path), Vec::new());
    for (number, row) in reader.get_row_iter(None).map_err(|error| failed(&error))?.enumerate() {
        let place = Place::row(&file, number + 1);
        let mut object = Map::new();
        for (name, field) in row.map_err(|error| failed(&error))?.into_columns() {
            match value(&field) {
                Some(Value::Null) => {}
                Some(value) => drop(object.insert(name, value)),
                None => {
                    let what = format!(
                        "column `{name}` holds what is no field; hint: leave it out, or write text or numbers"
                    );
                    faults.add(&place, None, &what);
                }
            }
        }
        records.extend(jsonl::of_object(object, place, names, faults));
    }
    Ok(Input { records, model })
}

/// A value as JSON has it; `None` for bytes, decimals and maps. What is no finite number becomes null, and is found in a vector.
fn value(field: &Field) -> Option<Value> {
    Some(match field {
        Field::Null => Value::Null,
        Field::Bool(value) => (*value).into(),
        Field::Byte(value) => (*value).into(),
        Field::Short(value) => (*value).into(),
        Field::Int(value) => (*value).into(),
        Field::Long(value) => (*value).into(),
        Field::UByte(value) => (*value).into(),
        Field::UShort(value) => (*value).into(),
        Field::UInt(value) => (*value).into(),
        Field::ULong(value) => (*value).into(),
        Field::Float16(value) => f64::from(value.to_f32()).into(),
        Field::Float(value) => f64::from(*value).into(),
        Field::Double(value) => (*value).into(),
        Field::Str(value) => value.as_str().into(),
        Field::Date(days) => (i64::from(*days) * DAY_MILLIS).into(),
        Field::TimestampMillis(millis) => (*millis).into(),
        Field::TimestampMicros(micros) => (micros / 1_000).into(),
        Field::Group(row) => {
            let columns = row.get_column_iter().map(|(name, field)| Some((name.clone(), value(field)?)));
            Value::Object(columns.collect::<Option<_>>()?)
        }
        Field::ListInternal(list) => list.elements().iter().map(value).collect::<Option<Vec<_>>>()?.into(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::parquet::data_type::{ByteArray, ByteArrayType, FloatType, Int32Type};
    use ::parquet::file::properties::WriterProperties;
    use ::parquet::file::writer::SerializedFileWriter;
    use ::parquet::schema::parser::parse_message_type;
    use std::sync::Arc;

    fn written() -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("edgeloom-parquet-{}.parquet", std::process::id()));
        let schema = "message items {
            required binary id (UTF8);
            required int32 published (DATE);
            required group vector (LIST) { repeated group list { required float element; } }
        }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let file = File::create(&path).unwrap();
        let mut writer = SerializedFileWriter::new(file, schema, Arc::new(WriterProperties::new())).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let ids = [ByteArray::from("a"), ByteArray::from("b")];
        column.typed::<ByteArrayType>().write_batch(&ids, None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int32Type>().write_batch(&[1, 2], None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let vectors = [1.0, 0.0, f32::NAN, 1.0];
        column.typed::<FloatType>().write_batch(&vectors, Some(&[1; 4]), Some(&[0, 1, 0, 1])).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.close().unwrap();
        path
    }

    #[test]
    fn columns_are_id_vector_and_fields_and_a_row_at_fault_is_named() {
        let path = written();
        let names = Names { id: "id".into(), vector: "vector".into(), text: Vec::new(), tensor: None };
        let mut faults = Faults::default();
        let input = read(&path, &names, &mut faults).unwrap();
        std::fs::remove_file(path).unwrap();
        let [record] = input.records.as_slice() else { panic!("{input:?}") };
        assert_eq!((record.id.as_str(), record.vector.as_deref()), ("a", Some(&[1.0, 0.0][..])));
        assert_eq!(record.fields["published"], DAY_MILLIS);
        let told = faults.stop().unwrap_err().message;
        assert!(told.contains("row 2: id 'b': `vector` holds null at place 1"), "{told}");
    }
}
