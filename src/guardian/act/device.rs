//! Devices of the desktop: clipboard, notification, camera, microphone. Asked for and recorded; not to be had yet.

/// What is told and recorded of a device.
pub(super) fn unavailable(name: &str) -> &'static str {
    match name {
        "clipboard" => "the clipboard cannot be granted in this run",
        "notification" => "notifications cannot be granted in this run",
        "camera" => "the camera cannot be granted in this run",
        "microphone" => "the microphone cannot be granted in this run",
        _ => "there is no device of this name; clipboard, notification, camera and microphone are known",
    }
}
