//! Weight files: safetensors, PyTorch's own format, whose instructions are read and never run, or GGUF.

use crate::load::error::LoadError;
use crate::load::file;
use crate::load::gguf::GgufTensors;
use crate::load::tensors::arrangement::Arrangement;
use crate::load::tensors::element_type::ElementType;
use crate::load::tensors::shards::{ShardIndex, refuse_twice};
use crate::nn::HeldBytes;
use burn::store::pytorch_reader::{DType as TorchType, PytorchReader};
use memmap2::{Mmap, UncheckedAdvice};
use safetensors::{Dtype, SafeTensors};
use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file with the weights.
pub(in crate::load) const WEIGHTS_FILE: &str = "model.safetensors";
/// The file with the tensors of an adapter.
pub(in crate::load) const ADAPTER_FILE: &str = "adapter_model.safetensors";
/// The file with the weights in older folders.
const TORCH_FILE: &str = "pytorch_model.bin";

/// The weight files of a model.
pub(in crate::load) struct WeightFiles {
    files: Vec<WeightFile>,
    index: Option<ShardIndex>,
}

enum WeightFile {
    Safetensors(PathBuf, Arc<Mmap>),
    Torch(PathBuf, PytorchReader),
    Gguf(GgufTensors),
}

impl WeightFiles {
    /// model.safetensors or the shards in its index, else pytorch_model.bin or the shards in its index.
    pub(in crate::load) fn open(dir: &Path) -> Result<Self, LoadError> {
        let Found { paths, index, is_torch } = find(dir)?;
        let open = if is_torch { read_torch } else { map_file };
        Ok(Self { files: paths.iter().map(|path| open(path)).collect::<Result<_, _>>()?, index })
    }

    /// adapter_model.safetensors, else adapter_model.bin.
    pub(in crate::load) fn of_adapter(dir: &Path) -> Result<Self, LoadError> {
        let (plain, torch) = (dir.join(ADAPTER_FILE), dir.join("adapter_model.bin"));
        let file = match (plain.is_file(), torch.is_file()) {
            (true, _) => map_file(&plain)?,
            (false, true) => read_torch(&torch)?,
            (false, false) => return Err(LoadError::MissingFile { dir: dir.to_owned(), file: ADAPTER_FILE }),
        };
        Ok(Self { files: vec![file], index: None })
    }

    /// The files of a model in GGUF.
    pub(in crate::load) fn of_gguf(files: Vec<GgufTensors>) -> Self {
        Self { files: files.into_iter().map(WeightFile::Gguf).collect(), index: None }
    }

    /// The file that a tensor should be in.
    pub(in crate::load) fn home_of(&self, tensor: &str) -> PathBuf {
        match &self.index {
            Some(index) => index.home_of(tensor),
            None => self.files[0].path().to_owned(),
        }
    }

    /// The files as sources of tensors, and the bytes of weights in all.
    pub(in crate::load) fn containers(&self) -> Result<(Vec<Container<'_>>, u64), LoadError> {
        let mut containers = self.files.iter().map(Container::of).collect::<Result<Vec<_>, _>>()?;
        take_wrappers_off(&mut containers);
        refuse_twice(&containers)?;
        Ok((containers, self.files.iter().map(WeightFile::bytes).sum()))
    }
}

/// Where the weights of a folder are.
struct Found {
    paths: Vec<PathBuf>,
    index: Option<ShardIndex>,
    is_torch: bool,
}

fn find(dir: &Path) -> Result<Found, LoadError> {
    for (name, is_torch) in [(WEIGHTS_FILE, false), (TORCH_FILE, true)] {
        let (single, index) = (dir.join(name), dir.join(format!("{name}.index.json")));
        if single.is_file() {
            return Ok(Found { paths: vec![single], index: None, is_torch });
        }
        if index.is_file() {
            let index = ShardIndex::read(&index)?;
            return Ok(Found { paths: index.files()?, index: Some(index), is_torch });
        }
    }
    Err(LoadError::MissingFile { dir: dir.to_owned(), file: WEIGHTS_FILE })
}

/// The weight files of a folder, as [`WeightFiles::open`] chooses them.
///
/// # Errors
/// When there are none, or a file named in an index is not there.
pub(in crate::load) fn weight_paths(dir: &Path) -> Result<Vec<PathBuf>, LoadError> {
    find(dir).map(|found| found.paths)
}

impl WeightFile {
    fn path(&self) -> &Path {
        match self {
            Self::Safetensors(path, _) | Self::Torch(path, _) => path,
            Self::Gguf(tensors) => tensors.path(),
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Safetensors(_, map) => map.len() as u64,
            Self::Torch(_, reader) => reader.tensors().values().map(|tensor| tensor.byte_len() as u64).sum(),
            Self::Gguf(tensors) => tensors.bytes(),
        }
    }
}

fn map_file(path: &Path) -> Result<WeightFile, LoadError> {
    let unreadable = |source| LoadError::Read { path: path.to_owned(), source };
    let opened = File::open(path).map_err(unreadable)?;
    // SAFETY: the map is only read. Another process that shortens the file while its model is open would crash this one; files
    // written here take each other's place and are never shortened. The price of excluding it is a copy of every model.
    #[expect(unsafe_code, reason = "memory-mapping a file")]
    let map = unsafe { Mmap::map(&opened) };
    let map = map.map_err(unreadable)?;
    file::refuse_pointer(path, &map)?;
    Ok(WeightFile::Safetensors(path.to_owned(), Arc::new(map)))
}

fn read_torch(path: &Path) -> Result<WeightFile, LoadError> {
    let unreadable = |source| LoadError::Read { path: path.to_owned(), source };
    let mut start = Vec::new();
    File::open(path).map_err(unreadable)?.take(2048).read_to_end(&mut start).map_err(unreadable)?;
    file::refuse_pointer(path, &start)?;
    let reader = PytorchReader::new(path);
    let reader = reader.map_err(|e| LoadError::Torch { path: path.to_owned(), problem: e.to_string() })?;
    Ok(WeightFile::Torch(path.to_owned(), reader))
}

/// One file as a source of tensors.
pub(in crate::load) struct Container<'a> {
    pub(in crate::load) path: &'a Path,
    tensors: Tensors<'a>,
    /// What stands before every name in the file and belongs to none.
    wrapper: String,
}

enum Tensors<'a> {
    Safetensors(SafeTensors<'a>, &'a Arc<Mmap>),
    Torch(&'a PytorchReader),
    Gguf(&'a GgufTensors),
}

/// What a file says of a tensor, without its values.
pub(in crate::load) struct TensorHeader {
    pub(in crate::load) dtype: ElementType,
    pub(in crate::load) shape: Vec<usize>,
    pub(in crate::load) bytes: u64,
}

/// A tensor as it lies in the file.
pub(in crate::load) struct RawTensor<'a> {
    pub(in crate::load) dtype: ElementType,
    /// The shape that its name stands for.
    pub(in crate::load) shape: Vec<usize>,
    /// Row-major, little-endian.
    pub(in crate::load) bytes: Cow<'a, [u8]>,
    /// How what its name stands for is made of the bytes.
    pub(in crate::load) arrangement: Arrangement,
}

impl RawTensor<'_> {
    /// True when both hold the same, bit for bit.
    pub(in crate::load) fn is_same(&self, other: &Self) -> bool {
        let is_alike = self.dtype == other.dtype && self.arrangement == other.arrangement;
        is_alike && self.shape == other.shape && self.bytes == other.bytes
    }
}

impl<'a> Container<'a> {
    fn of(file: &'a WeightFile) -> Result<Self, LoadError> {
        match file {
            WeightFile::Safetensors(path, map) => match SafeTensors::deserialize(refuse_too_many(path, map)?) {
                Ok(tensors) => Ok(Self { path, tensors: Tensors::Safetensors(tensors, map), wrapper: String::new() }),
                Err(source) => Err(LoadError::Safetensors { path: path.clone(), source }),
            },
            WeightFile::Torch(path, reader) => {
                Ok(Self { path, tensors: Tensors::Torch(reader), wrapper: String::new() })
            }
            WeightFile::Gguf(tensors) => {
                Ok(Self { path: tensors.path(), tensors: Tensors::Gguf(tensors), wrapper: String::new() })
            }
        }
    }

    pub(in crate::load) fn names(&self) -> Vec<&str> {
        let names = match &self.tensors {
            Tensors::Safetensors(tensors, _) => tensors.names(),
            Tensors::Torch(reader) => reader.tensors().keys().map(String::as_str).collect(),
            Tensors::Gguf(tensors) => tensors.names().collect(),
        };
        names.into_iter().map(|name| name.strip_prefix(&self.wrapper).unwrap_or(name)).collect()
    }

    /// A name as it stands in the file.
    fn stored<'n>(&self, name: &'n str) -> Cow<'n, str> {
        if self.wrapper.is_empty() { name.into() } else { format!("{}{name}", self.wrapper).into() }
    }

    pub(in crate::load) fn has(&self, name: &str) -> bool {
        let name = &*self.stored(name);
        match &self.tensors {
            Tensors::Safetensors(tensors, _) => tensors.tensor(name).is_ok(),
            Tensors::Torch(reader) => reader.get(name).is_some(),
            Tensors::Gguf(tensors) => tensors.header(name).is_some(),
        }
    }

    /// What the file says of the tensor of this name, if it is here.
    pub(in crate::load) fn header(&self, name: &str) -> Option<TensorHeader> {
        let name = &*self.stored(name);
        match &self.tensors {
            Tensors::Safetensors(tensors, _) => tensors.tensor(name).ok().map(|tensor| TensorHeader {
                dtype: ElementType::Single(tensor.dtype()),
                shape: tensor.shape().to_vec(),
                bytes: tensor.data().len() as u64,
            }),
            Tensors::Torch(reader) => reader.get(name).map(|tensor| TensorHeader {
                dtype: dtype_of(tensor.dtype()),
                shape: tensor.shape().to_vec(),
                bytes: tensor.byte_len() as u64,
            }),
            Tensors::Gguf(tensors) => tensors.header(name),
        }
    }

    /// The tensor of this name, if it is here.
    pub(in crate::load) fn tensor(&self, name: &str) -> Result<Option<RawTensor<'a>>, LoadError> {
        let name = &*self.stored(name);
        match &self.tensors {
            Tensors::Safetensors(tensors, _) => Ok(tensors.tensor(name).ok().map(|tensor| RawTensor {
                dtype: ElementType::Single(tensor.dtype()),
                shape: tensor.shape().to_vec(),
                bytes: Cow::Borrowed(tensor.data()),
                arrangement: Arrangement::AsNamed,
            })),
            Tensors::Gguf(tensors) => Ok(tensors.tensor(name)),
            Tensors::Torch(reader) => {
                let Some(tensor) = reader.get(name) else { return Ok(None) };
                let bytes = tensor.read();
                let bytes =
                    bytes.map_err(|e| LoadError::Torch { path: self.path.to_owned(), problem: e.to_string() })?;
                Ok(Some(RawTensor {
                    dtype: dtype_of(tensor.dtype()),
                    shape: tensor.shape().to_vec(),
                    bytes: Cow::Owned(bytes),
                    arrangement: Arrangement::AsNamed,
                }))
            }
        }
    }

    /// The bytes of a tensor for longer than this container lives: where they lie, if the file is mapped. Where the system lets no
    /// mapped file be replaced, a copy, or a model could not be saved over the one it was opened from.
    pub(in crate::load) fn hold(&self, bytes: Cow<'a, [u8]>) -> HeldBytes {
        let map = match &self.tensors {
            Tensors::Safetensors(_, map) => Some(*map),
            Tensors::Gguf(tensors) => Some(tensors.map()),
            Tensors::Torch(_) => None,
        };
        if let (Some(map), false) = (map, cfg!(windows)) {
            let offset = bytes.as_ptr().addr().wrapping_sub(map.as_ptr().addr());
            let owner: Arc<dyn AsRef<[u8]> + Send + Sync> = Arc::<Mmap>::clone(map);
            if let Some(held) = HeldBytes::new(owner, offset, bytes.len()) {
                return held;
            }
        }
        let len = bytes.len();
        HeldBytes::new(Arc::new(bytes.into_owned()), 0, len).expect("all of its own bytes")
    }

    /// Tells the system that these bytes of a mapped file are not needed again, so that the file and its copy do not
    /// stand in memory together.
    pub(in crate::load) fn is_done_with(&self, bytes: &[u8]) {
        let map = match &self.tensors {
            Tensors::Safetensors(_, map) => map,
            Tensors::Gguf(tensors) => tensors.map(),
            Tensors::Torch(_) => return,
        };
        let offset = bytes.as_ptr().addr().wrapping_sub(map.as_ptr().addr());
        if offset.saturating_add(bytes.len()) <= map.len() {
            // SAFETY: nothing was ever written through this read-only map, so dropped pages come back from the file.
            #[expect(unsafe_code, reason = "advising on a read-only map")]
            let advised = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, offset, bytes.len()) };
            if let Err(error) = advised {
                log::debug!("the system keeps {} in memory: {error}", self.path.display());
            }
        }
    }
}

/// Takes off what torch.compile and data-parallel training put before the name of every tensor.
fn take_wrappers_off(containers: &mut [Container<'_>]) {
    const WRAPPERS: [&str; 2] = ["_orig_mod.", "module."];
    loop {
        let is_wrapped = |wrapper: &str| {
            let mut names = containers.iter().flat_map(Container::names).peekable();
            names.peek().is_some() && names.all(|name| name.starts_with(wrapper))
        };
        let Some(wrapper) = WRAPPERS.into_iter().find(|wrapper| is_wrapped(wrapper)) else { return };
        containers.iter_mut().for_each(|container| container.wrapper.push_str(wrapper));
    }
}

/// The bytes of a safetensors file, unless its header lists so many tensors that reading their names alone takes seconds:
/// the largest models have tens of thousands.
fn refuse_too_many<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a [u8], LoadError> {
    const MOST: usize = 100_000;
    const OF_EACH: &[u8] = b"\"data_offsets\"";
    let Some((length, rest)) = bytes.split_first_chunk() else { return Ok(bytes) };
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX).min(rest.len());
    // No entry is shorter than this.
    if length < MOST * OF_EACH.len() {
        return Ok(bytes);
    }
    let quotes = rest[..length].iter().enumerate().filter(|(_, byte)| **byte == b'"').map(|(place, _)| place);
    let count = quotes.filter(|place| rest[*place..length].starts_with(OF_EACH)).count();
    match count > MOST {
        true => Err(LoadError::TooManyTensors { path: path.to_owned(), count, most: MOST }),
        false => Ok(bytes),
    }
}

fn dtype_of(dtype: TorchType) -> ElementType {
    ElementType::Single(match dtype {
        TorchType::F64 => Dtype::F64,
        TorchType::F32 => Dtype::F32,
        TorchType::F16 => Dtype::F16,
        TorchType::BF16 => Dtype::BF16,
        TorchType::I64 => Dtype::I64,
        TorchType::I32 => Dtype::I32,
        TorchType::I16 => Dtype::I16,
        TorchType::I8 => Dtype::I8,
        TorchType::U64 => Dtype::U64,
        TorchType::U32 => Dtype::U32,
        TorchType::U16 => Dtype::U16,
        TorchType::U8 => Dtype::U8,
        TorchType::Bool => Dtype::BOOL,
    })
}
