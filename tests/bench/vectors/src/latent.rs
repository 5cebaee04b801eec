//! Embeddings of texts without a model's weights: latent semantic analysis, that is TF-IDF and a truncated singular value
//! decomposition (Deerwester et al. 1990, doi:10.1002/(SICI)1097-4571(199009)41:6<391::AID-ASI1>3.0.CO;2-9) by subspace iteration
//! from a random start (Halko, Martinsson & Tropp 2011, doi:10.1137/090771806, algorithm 4.4).

use crate::clustered::unit;
use edgeloom::seed::Generator;
use std::collections::BTreeMap;

/// Texts a word has to be in at least, or it says nothing of any other.
const LEAST_TEXTS: usize = 3;
/// How often the subspace is turned towards the largest singular values.
const ROUNDS: usize = 6;

/// A row of a sparse matrix: columns and their values.
type Sparse = Vec<(usize, f32)>;

/// Embeddings of `dimension` numbers: those of the items, and of the queries as items unseen.
pub fn embed(items: &[Vec<String>], queries: &[Vec<String>], dimension: usize) -> (Vec<f32>, Vec<f32>) {
    let mut n_texts: BTreeMap<&str, usize> = BTreeMap::new();
    for words in items {
        counts(words).keys().for_each(|word| *n_texts.entry(word).or_default() += 1);
    }
    let known = n_texts.iter().filter(|(_, n)| **n >= LEAST_TEXTS);
    let known: BTreeMap<&str, (usize, f64)> = known
        .enumerate()
        .map(|(column, (word, n))| (*word, (column, libm::log(items.len() as f64 / *n as f64))))
        .collect();
    let row = |words: &Vec<String>| -> Sparse {
        let weighted = counts(words).into_iter().filter_map(|(word, n)| {
            let (column, idf) = known.get(word)?;
            Some((*column, ((1.0 + libm::log(n as f64)) * idf) as f32))
        });
        let (columns, weights): (Vec<usize>, Vec<f32>) = weighted.unzip();
        columns.into_iter().zip(unit(weights)).collect()
    };
    let rows: Vec<Sparse> = items.iter().map(row).collect();
    let basis = basis(&rows, known.len(), dimension);
    let project = |row: &Sparse| unit(times(row, &basis, dimension));
    let project_all = |rows: &[Sparse]| rows.iter().flat_map(project).collect();
    (project_all(&rows), project_all(&queries.iter().map(row).collect::<Vec<_>>()))
}

fn counts(words: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    words.iter().for_each(|word| *counts.entry(word.as_str()).or_default() += 1);
    counts
}

/// The first right singular vectors of a matrix A, as a table with a row for each of its columns: those of AᵀA by V ← orth(Aᵀ(A·V)).
fn basis(rows: &[Sparse], n_columns: usize, dimension: usize) -> Vec<f32> {
    let mut generator = Generator::new(0x006c_6174_656e_7400);
    let mut v: Vec<f32> = (0..n_columns * dimension).map(|_| (generator.unit() - 0.5) as f32).collect();
    for _ in 0..ROUNDS {
        let mut next = vec![0.0_f32; v.len()];
        for row in rows {
            let projected = times(row, &v, dimension);
            for (column, value) in row {
                let place = &mut next[column * dimension..(column + 1) * dimension];
                place.iter_mut().zip(&projected).for_each(|(sum, p)| *sum += value * p);
            }
        }
        v = orthonormal(&next, dimension);
    }
    v
}

/// A sparse row times a table.
fn times(row: &Sparse, table: &[f32], dimension: usize) -> Vec<f32> {
    let mut sums = vec![0.0_f32; dimension];
    for (column, value) in row {
        let part = &table[column * dimension..(column + 1) * dimension];
        sums.iter_mut().zip(part).for_each(|(sum, p)| *sum += value * p);
    }
    sums
}

/// An orthonormal basis of what a table's columns span, by Gram and Schmidt: the order of columns stays, so the first ones come
/// to be the vectors of the largest values.
fn orthonormal(table: &[f32], dimension: usize) -> Vec<f32> {
    let column = |at: usize| table.iter().skip(at).step_by(dimension).copied().collect::<Vec<f32>>();
    let mut done: Vec<Vec<f32>> = Vec::with_capacity(dimension);
    for at in 0..dimension {
        let mut own = unit(column(at));
        // Twice is enough (Giraud et al. 2005, doi:10.1007/s00211-005-0615-4).
        for _ in 0..2 {
            for other in &done {
                let share = dot(&own, other);
                own.iter_mut().zip(other).for_each(|(value, part)| *value -= share * part);
            }
            own = unit(own);
        }
        done.push(own);
    }
    (0..table.len() / dimension).flat_map(|row| done.iter().map(move |column| column[row])).collect()
}

/// A dot product in 16 sums, which the compiler makes vectors of.
pub fn dot(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    let ((a, a_rest), (b, b_rest)) = (one.as_chunks::<16>(), other.as_chunks::<16>());
    for (a, b) in a.iter().zip(b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    a_rest.iter().zip(b_rest).map(|(a, b)| a * b).chain(sums).sum()
}
