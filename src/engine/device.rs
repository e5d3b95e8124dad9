//! Chooses the device, checks it, and says why it is that one.
//!
//! Must not know: jobs, models or queues.

use super::guard::{THREAD_PREFIX, guarded};
use crate::types::{DeviceChoice, DeviceStatus};
use burn::tensor::wgpu::wgpu;
use burn::tensor::{Device, DeviceKind, Tensor, TensorData};
use std::future::Future;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

/// What to do about a device that gives back no values, in the window and on the command line.
pub(crate) const TRY_THE_CPU: &str =
    "Try again; if it happens again, compute on the CPU (--device cpu, or the device menu of the window).";

/// A device that passed its check, and what to tell about it.
pub(crate) struct OpenDevice {
    /// The device, without autodiff.
    pub device: Device,
    /// What the status bar shows.
    pub status: DeviceStatus,
}

/// An adapter as the graphics driver describes it.
#[derive(Clone, Debug)]
struct Adapter {
    name: String,
    is_software: bool,
}

/// The wgpu device of this process. Burn registers one runtime a process and adapter, so a second engine (or a second
/// change of device) uses the first one's.
static GPU: OnceLock<Result<(Device, Adapter), String>> = OnceLock::new();

/// Opens the device asked for; falls back to the CPU with a reason when it cannot be used.
pub(crate) fn open(choice: DeviceChoice, threads: usize) -> OpenDevice {
    let (adapters, gpu) = match choice {
        DeviceChoice::Cpu => (Vec::new(), Err("The CPU was chosen.".to_owned())),
        DeviceChoice::Auto | DeviceChoice::Gpu => {
            let adapters = adapters();
            let gpu = open_gpu(choice, adapters);
            (adapters.iter().map(|adapter| adapter.name.clone()).collect(), gpu)
        }
    };
    let (device, is_gpu, name, reason) = match gpu {
        Ok((device, adapter)) => {
            let reason = "It gave the same product as the CPU when it was checked.".to_owned();
            (device, true, adapter.name, reason)
        }
        Err(reason) => (Device::flex(), false, "CPU (Flex)".to_owned(), reason),
    };
    OpenDevice { device, status: DeviceStatus { choice, is_gpu, name, reason, threads, adapters } }
}

/// The CPU, after the GPU stopped working.
pub(crate) fn fall_back(lost: &DeviceStatus, why: &str) -> OpenDevice {
    let status = DeviceStatus {
        is_gpu: false,
        name: "CPU (Flex)".to_owned(),
        reason: format!("{} stopped working ({why}), so the CPU took over.", lost.name),
        ..lost.clone()
    };
    OpenDevice { device: Device::flex(), status }
}

fn open_gpu(choice: DeviceChoice, adapters: &[Adapter]) -> Result<(Device, Adapter), String> {
    let Some(first) = adapters.first() else {
        return Err("No graphics adapter was found.".to_owned());
    };
    if choice == DeviceChoice::Auto && adapters.iter().all(|adapter| adapter.is_software) {
        return Err(format!("The only adapter, {}, computes on the CPU itself; Flex is faster there.", first.name));
    }
    let (device, adapter) = GPU.get_or_init(init_gpu).clone()?;
    if choice == DeviceChoice::Auto && adapter.is_software {
        return Err(format!("{} computes on the CPU itself; Flex is faster there.", adapter.name));
    }
    check(&device).map_err(|why| format!("{} failed its check: {why}", adapter.name))?;
    Ok((device, adapter))
}

fn init_gpu() -> Result<(Device, Adapter), String> {
    let opened = guarded(|| Device::wgpu_options().device_kind(DeviceKind::DefaultDevice).init_with_setup());
    let (device, setup) = opened
        .map_err(|panicked| format!("The graphics driver failed: {}", panicked.detail()))?
        .map_err(|error| format!("The graphics adapter could not be opened: {error}"))?;
    Ok((device, describe(&setup.adapter.get_info())))
}

/// Multiplies two small matrices and compares the product with the CPU's.
///
/// # Errors
/// What went wrong, in one sentence.
pub(crate) fn check(device: &Device) -> Result<(), String> {
    const SIDE: usize = 48;
    const TOLERANCE: f32 = 1e-3; // products of 48 terms below 1 each differ by rounding only, about 1e-5
    let product = |device: &Device| -> Result<Vec<f32>, String> {
        let values = |seed: usize| (0..SIDE * SIDE).map(|i| ((i * 7 + seed) % 23) as f32 / 23.0 - 0.5).collect();
        let matrix = |seed| Tensor::<2>::from_data(TensorData::new(values(seed), [SIDE, SIDE]), device);
        let product = matrix(1).matmul(matrix(5)).into_data();
        device.sync().map_err(|error| format!("{error:?}"))?;
        product.try_to_vec::<f32>().map_err(|error| format!("{error:?}"))
    };
    let computed = guarded(|| product(device)).map_err(|panicked| panicked.detail())??;
    let expected = product(&Device::flex())?;
    let worst = computed.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, nan_aware_max);
    if computed.len() == expected.len() && worst <= TOLERANCE {
        Ok(())
    } else {
        Err(format!("a product of two small matrices is off by {worst}."))
    }
}

fn nan_aware_max(a: f32, b: f32) -> f32 {
    if a.is_nan() || b.is_nan() { f32::NAN } else { a.max(b) }
}

/// The adapters of this computer, asked once a process: instances that come and go on several threads at once crash
/// the Vulkan loader.
fn adapters() -> &'static [Adapter] {
    static ADAPTERS: OnceLock<Vec<Adapter>> = OnceLock::new();
    ADAPTERS.get_or_init(|| guarded(list_adapters).unwrap_or_default())
}

/// Of Vulkan, Metal and DirectX 12. OpenGL is left out: its compute shaders are too limited for models.
fn list_adapters() -> Vec<Adapter> {
    let backends = wgpu::Backends::PRIMARY;
    let descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor { backends, ..descriptor });
    let found = now(instance.enumerate_adapters(backends)).unwrap_or_default();
    let mut adapters: Vec<_> = found.iter().map(|adapter| describe(&adapter.get_info())).collect();
    adapters.dedup_by(|a, b| a.name == b.name);
    adapters
}

fn describe(info: &wgpu::AdapterInfo) -> Adapter {
    Adapter { name: info.name.clone(), is_software: info.device_type == wgpu::DeviceType::Cpu }
}

/// The value of a future that is ready at once, as adapter lists are outside a browser.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Sets the number of compute threads of this process, the first time it is called, and tells how many there are.
/// `None` leaves one core to the window where there are more than two.
pub(crate) fn compute_threads(wanted: Option<usize>) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = wanted.unwrap_or(if cores <= 2 { cores } else { cores - 1 }).max(1);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    if let Err(error) = pool.thread_name(|i| format!("{THREAD_PREFIX}compute-{i}")).build_global() {
        log::debug!("compute threads stay as they are: {error}");
    }
    rayon::current_num_threads()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_passes_its_own_check() {
        assert_eq!(check(&Device::flex()), Ok(()));
    }

    #[test]
    fn without_an_adapter_the_cpu_is_used_and_says_why() {
        let reason = open_gpu(DeviceChoice::Gpu, &[]).unwrap_err();
        assert_eq!(reason, "No graphics adapter was found.");
    }

    #[test]
    fn a_software_adapter_is_not_chosen_unasked() {
        let software = Adapter { name: "llvmpipe (LLVM 19)".into(), is_software: true };
        let reason = open_gpu(DeviceChoice::Auto, &[software]).unwrap_err();
        assert!(reason.contains("llvmpipe"), "{reason}");
    }

    #[test]
    fn a_lost_device_is_named_in_the_reason() {
        let gpu = DeviceStatus { name: "Some GPU".into(), is_gpu: true, ..open(DeviceChoice::Cpu, 1).status };
        let status = fall_back(&gpu, "device lost").status;
        assert!(!status.is_gpu && status.reason.contains("Some GPU") && status.reason.contains("device lost"));
    }
}
