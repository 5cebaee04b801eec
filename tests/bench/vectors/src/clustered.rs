//! Made-up embeddings: mixtures of three of 2√N topics and coloured noise. There are no hard clusters, as there are none in what
//! people write: an inverted file finds nine of ten neighbours here.

use edgeloom::seed::Generator;

/// Topics that an embedding is mixed of.
const MIXED: usize = 3;
/// Length of the noise beside that of the mixture, about.
const NOISE: f32 = 0.6;

/// The numbers of `n` items and of `n_queries` queries of the same kind.
pub fn make(dimension: usize, n: usize, n_queries: usize) -> (Vec<f32>, Vec<f32>) {
    let mut generator = Generator::new(0x7665_6374_6f72_7300 + n as u64);
    // What differs between embeddings of models in use is some directions much more than others.
    let colour: Vec<f32> =
        (0..dimension).map(|at| 1.0 / (1.0 + 8.0 * at as f32 / dimension as f32)).collect();
    let length = colour.iter().map(|c| c * c).sum::<f32>().sqrt();
    let topics: Vec<Vec<f32>> =
        (0..(2.0 * (n as f64).sqrt()) as usize).map(|_| white(&mut generator, dimension)).collect();
    let mut some = |n: usize| {
        let mut numbers = Vec::with_capacity(n * dimension);
        for _ in 0..n {
            let mut item: Vec<f32> =
                colour.iter().map(|c| NOISE * c / length * normal(&mut generator)).collect();
            for _ in 0..MIXED {
                let (topic, weight) =
                    (generator.bits() as usize % topics.len(), 0.2 + 0.8 * generator.unit() as f32);
                for (value, part) in item.iter_mut().zip(&topics[topic]) {
                    *value += weight * part;
                }
            }
            numbers.extend(unit(item));
        }
        numbers
    };
    (some(n), some(n_queries))
}

/// A direction, each as likely.
fn white(generator: &mut Generator, dimension: usize) -> Vec<f32> {
    unit((0..dimension).map(|_| normal(generator)).collect())
}

/// About normal: twelve uniform numbers. No function of the platform, so that the data are the same everywhere.
fn normal(generator: &mut Generator) -> f32 {
    ((0..6)
        .map(|_| {
            let bits = generator.bits();
            f64::from((bits >> 32) as u32) + f64::from(bits as u32)
        })
        .sum::<f64>()
        / 4_294_967_296.0
        - 6.0) as f32
}

/// Divides by the length.
pub fn unit(mut values: Vec<f32>) -> Vec<f32> {
    let length = values.iter().map(|value| f64::from(*value) * f64::from(*value)).sum::<f64>().sqrt();
    values.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
    values
}
