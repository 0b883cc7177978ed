//! MKL and OpenBLAS, taken from the libraries that the environment names, with one thread each.

use std::ffi::c_int;

use libloading::Library;

type Sgemm = unsafe extern "C" fn(
    layout: c_int,
    transposed_a: c_int,
    transposed_b: c_int,
    m: c_int,
    n: c_int,
    k: c_int,
    alpha: f32,
    a: *const f32,
    lda: c_int,
    b: *const f32,
    ldb: c_int,
    beta: f32,
    c: *mut f32,
    ldc: c_int,
);

const ROW_MAJOR: c_int = 101;
const PLAIN: c_int = 111;
const TRANSPOSED: c_int = 112;

/// A library's product in single precision.
pub struct Blas {
    pub name: &'static str,
    sgemm: Sgemm,
    _library: Library,
}

/// Those whose library an environment variable names.
pub fn all() -> Vec<Blas> {
    let mkl = Blas::load("mkl", "MKL_LIBRARY", "cblas_sgemm", "MKL_Set_Num_Threads");
    let openblas = Blas::load("openblas", "OPENBLAS_LIBRARY", "scipy_cblas_sgemm", "scipy_openblas_set_num_threads");
    [mkl, openblas].into_iter().flatten().collect()
}

impl Blas {
    fn load(name: &'static str, variable: &str, sgemm: &str, set_threads: &str) -> Option<Blas> {
        let path = std::env::var_os(variable).filter(|path| !path.is_empty())?;
        // SAFETY: these are the libraries' documented functions, by their documented types.
        unsafe {
            let library = Library::new(path).expect("the library of the environment variable");
            let set_threads = library.get::<unsafe extern "C" fn(c_int)>(set_threads).expect("a library of this kind");
            set_threads(1);
            let sgemm = *library.get::<Sgemm>(sgemm).expect("a library of this kind");
            Some(Blas { name, sgemm, _library: library })
        }
    }

    /// `c = a · b`, all of it where the arrays lie: `a` is (m, k), or (k, m) where it is transposed, and so on.
    pub fn product(&self, (m, k, n): (usize, usize, usize), form: char, a: &[f32], b: &[f32], c: &mut [f32]) {
        assert!(a.len() == m * k && b.len() == k * n && c.len() == m * n);
        let [m, k, n] = [m, k, n].map(|len| len as c_int);
        let (of_a, lda) = if form == 'a' { (TRANSPOSED, m) } else { (PLAIN, k) };
        let (of_b, ldb) = if form == 'b' { (TRANSPOSED, k) } else { (PLAIN, n) };
        // SAFETY: the arrays are as long as the sizes say.
        unsafe {
            (self.sgemm)(ROW_MAJOR, of_a, of_b, m, n, k, 1.0, a.as_ptr(), lda, b.as_ptr(), ldb, 0.0, c.as_mut_ptr(), n);
        }
    }
}
