//! A visitor's gestures on the page that bends a picture.

mod files;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use fantoccini::actions::{ActionSequence, InputSource as _, MouseActions, PointerAction, TouchActions};
use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::{Client, Locator};

/// The width and height of the screen, a phone's.
pub(super) const SCREEN: [u32; 2] = [390, 844];
/// A screenshot of the bent picture.
const SCREENSHOT: &str = "target/web/bent.png";
/// A script that returns how far the shown picture is from the one at the last call, as a mean over bytes.
const CHANGE: &str = "
    const { width, height } = picture;
    const now = picture.getContext('2d').getImageData(0, 0, width, height).data;
    const before = window.before ?? now;
    window.before = now;
    return now.reduce((sum, value, n) => sum + Math.abs(value - before[n]), 0) / now.length;";
/// A script that returns how far the shown picture is from its file, as a mean over bytes. The file is small enough to
/// be shown unscaled.
const ERROR: &str = "
    const done = arguments[0];
    fetch('chelsea.jpg').then(file => file.blob()).then(createImageBitmap).then(bitmap => {
        const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
        context.drawImage(bitmap, 0, 0);
        const file = context.getImageData(0, 0, bitmap.width, bitmap.height).data;
        const shown = picture.getContext('2d').getImageData(0, 0, bitmap.width, bitmap.height).data;
        done(shown.reduce((sum, value, n) => sum + Math.abs(value - file[n]), 0) / file.length);
    });";
/// A script that returns how many pixels have the colour of a tap.
const TAPS: &str = "
    const marks = overlay.getContext('2d').getImageData(0, 0, overlay.width, overlay.height).data;
    return marks.reduce((sum, value, n) => sum + (n % 4 === 0 && value === 255 && marks[n + 1] === 45), 0);";
/// A script that makes the page lose every device that it computes on.
const LOSE_DEVICES: &str = "
    window.createBuffer = GPUDevice.prototype.createBuffer;
    GPUDevice.prototype.createBuffer = function (descriptor) {
        this.destroy();
        return window.createBuffer.call(this, descriptor);
    };";
/// A script that lets the page keep its devices again.
const KEEP_DEVICES: &str = "GPUDevice.prototype.createBuffer = window.createBuffer;";
/// A script that drops a picture of 40×30 pixels on the page, because WebDriver has no such gesture.
const DROP: &str = "
    const canvas = Object.assign(document.createElement('canvas'), { width: 40, height: 30 });
    canvas.getContext('2d').fillRect(10, 10, 9, 9);
    canvas.toBlob(blob => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([blob], 'dropped.png', { type: 'image/png' }));
        stage.dispatchEvent(new DragEvent('drop', { dataTransfer, cancelable: true }));
        arguments[0]();
    });";

/// The page that bends a picture.
pub(super) struct Page<'a> {
    client: &'a Client,
    overlay: Element,
}

impl<'a> Page<'a> {
    pub(super) async fn of(client: &'a Client) -> Result<Self> {
        let overlay = client.find(Locator::Id("overlay")).await?;
        Ok(Self { client, overlay })
    }

    /// Waits until the page has finished computing and returns its status line.
    async fn state(&self) -> Result<String> {
        self.client.wait().for_element(Locator::Css("#stage:not([aria-busy])")).await?;
        Ok(self.client.find(Locator::Id("state")).await?.text().await?)
    }

    /// Returns how far the picture is from the one at the last call.
    async fn change(&self) -> Result<f64> {
        self.state().await?;
        self.number(CHANGE).await
    }

    async fn number(&self, script: &str) -> Result<f64> {
        self.client.execute(script, vec![]).await?.as_f64().context("no number")
    }

    /// Returns the action that moves a pointer to a place of the picture, given in pixels from its middle.
    fn to(&self, x: f64, y: f64) -> PointerAction {
        PointerAction::MoveToElement { element: self.overlay.clone(), duration: None, x, y }
    }

    async fn perform(&self, pointer: impl Into<ActionSequence>) -> Result<()> {
        Ok(self.client.perform_actions(pointer.into()).await?)
    }

    /// Drags a finger from one place of the picture to another, both given in pixels from its middle.
    async fn drag(&self, [x, y]: [f64; 2], [to_x, to_y]: [f64; 2]) -> Result<()> {
        let finger = TouchActions::new("finger".into());
        let button = 0;
        let down = finger.then(self.to(x, y)).then(PointerAction::Down { button });
        self.perform(down.then(self.to(to_x, to_y)).then(PointerAction::Up { button })).await
    }

    /// Moves the mouse over a pixel and returns how many pixels show its taps.
    async fn hover(&self) -> Result<f64> {
        self.perform(MouseActions::new("mouse".into()).then(self.to(-80.0, -40.0))).await?;
        self.number(TAPS).await
    }

    async fn click(&self, control: &str) -> Result<()> {
        Ok(self.client.find(Locator::Id(control)).await?.click().await?)
    }

    /// Opens a file as a picture or case. Returns the status line after that.
    async fn open(&self, file: &Path) -> Result<String> {
        let path = std::path::absolute(file)?;
        self.client.find(Locator::Id("file")).await?.send_keys(&path.to_string_lossy()).await?;
        self.state().await
    }

    async fn choose(&self, control: &str, label: &str) -> Result<()> {
        Ok(self.client.find(Locator::Id(control)).await?.select_by_label(label).await?)
    }

    /// Makes a visitor's gestures.
    pub(super) async fn gestures(&self) -> Result<()> {
        self.state().await?;
        let width = self.number("return document.documentElement.scrollWidth").await?;
        ensure!(width <= f64::from(SCREEN[0]), "the page is {width} pixels wide");

        self.choose("size", "1×1").await?;
        let state = self.state().await?;
        ensure!(state.contains(" 0 points") && state.contains("GFLOP/s"), "expected 0 points and a rate: {state}");
        let error = self.client.execute_async(ERROR, vec![]).await?;
        ensure!(
            error.as_f64().is_some_and(|error| error < 0.01),
            "a 1×1 kernel without points is {error} off the picture"
        );
        self.change().await?;

        self.drag([-40.0, -20.0], [0.0, 0.0]).await?;
        let dragged = self.change().await?;
        let state = self.state().await?;
        ensure!(dragged > 1.0 && state.contains(" 1 point:"), "dragging changes the picture by {dragged}: {state}");

        let right = char::from(Key::Right);
        self.overlay.send_keys(&format!("{}{right}{right}{right}{right}{right}", char::from(Key::Enter))).await?;
        let moved = self.change().await?;
        let state = self.state().await?;
        ensure!(moved > 0.1 && state.contains(" 2 points:"), "the keyboard changes the picture by {moved}: {state}");
        self.overlay.send_keys(&char::from(Key::Delete).to_string()).await?;
        let back = self.change().await?;
        let state = self.state().await?;
        ensure!(back > 0.1 && state.contains(" 1 point:"), "Delete changes the picture by {back}: {state}");

        let taps = self.hover().await?;
        ensure!(taps > 0.0, "no tap is shown under the mouse");
        self.choose("size", "3×3").await?;
        let kernel = self.change().await?;
        ensure!(kernel > 0.3, "the kernel changes the picture by {kernel}");
        self.choose("dilation", "8").await?;
        let dilation = self.change().await?;
        ensure!(dilation > 0.3, "the dilation changes the picture by {dilation}");
        let more = self.hover().await?;
        ensure!(more > 4.0 * taps, "nine taps have {more} pixels, one has {taps}");
        self.click("v2").await?;
        let mask = self.change().await?;
        ensure!(mask > 1.0, "the mask changes the picture by {mask}");
        std::fs::write(SCREENSHOT, self.client.screenshot().await?)?;
        println!("the page after dragging: {SCREENSHOT}");

        self.click("reset").await?;
        let state = self.state().await?;
        ensure!(state.contains(" 0 points"), "after the reset there are points left: {state}");
        self.client.execute_async(DROP, vec![]).await?;
        let state = self.state().await?;
        ensure!(state.starts_with("40×30, "), "a dropped picture is not shown: {state}");
        for (file, answer) in [("cli/assets/chelsea.jpg", "450×300, "), ("Cargo.toml", "This file is no picture")] {
            let state = self.open(Path::new(file)).await?;
            ensure!(state.starts_with(answer), "{file} as the picture: {state}");
        }
        println!("a visitor's gestures: kernel, drag, keyboard, hover, dilation, mask, reset, drop, file");
        Ok(())
    }

    /// Checks that the page says when it cannot bend the picture, and goes on when it can again.
    pub(super) async fn errors(&self) -> Result<()> {
        self.state().await?;
        self.client.execute(LOSE_DEVICES, vec![]).await?;
        self.drag([-40.0, -20.0], [0.0, 0.0]).await?;
        let state = self.state().await?;
        let wrong = self.state_is_wrong().await?;
        ensure!(wrong && state.contains("did not compute this"), "without a device the page says: {state}");
        println!("without a device: {state}");
        self.client.execute(KEEP_DEVICES, vec![]).await?;
        self.drag([0.0, 0.0], [20.0, 10.0]).await?;
        let state = self.state().await?;
        let wrong = self.state_is_wrong().await?;
        ensure!(!wrong && state.contains(" 1 point:"), "with a device again the page says: {state}");
        Ok(())
    }

    /// Returns whether the status line is marked as an error.
    async fn state_is_wrong(&self) -> Result<bool> {
        Ok(self.client.find(Locator::Id("state")).await?.attr("class").await?.as_deref() == Some("wrong"))
    }
}
