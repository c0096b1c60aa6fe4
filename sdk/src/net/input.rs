//! From RGB bytes to the numbers that a network takes.

use crate::pack::{ColourOrder, InputForm, Layout};

impl InputForm {
    /// The input's shape with a batch of one.
    pub(crate) fn shape(&self) -> [usize; 4] {
        match self.layout {
            Layout::Nchw => [1, 3, self.height, self.width],
            Layout::Nhwc => [1, self.height, self.width, 3],
        }
    }

    /// Writes one picture's input: `rgb` holds `width · height` pixels of this form's size, RGB, rows from the top.
    pub(crate) fn write(&self, rgb: &[u8], input: &mut [f32]) {
        self.write_pixels(|| rgb.as_chunks::<3>().0.iter(), input);
    }

    /// The same with left and right exchanged.
    pub(crate) fn write_mirrored(&self, rgb: &[u8], input: &mut [f32]) {
        let rows = || rgb.chunks_exact((self.width * 3).max(1));
        self.write_pixels(|| rows().flat_map(|row| row.as_chunks::<3>().0.iter().rev()), input);
    }

    fn write_pixels<'p, I: Iterator<Item = &'p [u8; 3]>>(&self, pixels: impl Fn() -> I, input: &mut [f32]) {
        let source = |channel: usize| match self.colour {
            ColourOrder::Rgb => channel,
            ColourOrder::Bgr => 2 - channel,
        };
        match self.layout {
            Layout::Nchw => {
                for (channel, plane) in input.chunks_exact_mut((self.width * self.height).max(1)).enumerate().take(3) {
                    let (from, mean, scale) = (source(channel), self.mean[channel], self.scale[channel]);
                    for (value, pixel) in plane.iter_mut().zip(pixels()) {
                        *value = (f32::from(pixel[from]) - mean) * scale;
                    }
                }
            }
            Layout::Nhwc => {
                for (values, pixel) in input.as_chunks_mut::<3>().0.iter_mut().zip(pixels()) {
                    for (channel, value) in values.iter_mut().enumerate() {
                        *value = (f32::from(pixel[source(channel)]) - self.mean[channel]) * self.scale[channel];
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_layout_are_those_of_the_form() {
        let rgb = [1, 2, 3, 11, 12, 13];
        let form =
            |layout, colour| InputForm { width: 2, height: 1, layout, colour, mean: [1.0, 0.0, 0.0], scale: [2.0, 1.0, 1.0] };
        let fill = |form: InputForm| {
            let mut input = [0.0; 6];
            form.write(&rgb, &mut input);
            input
        };
        assert_eq!(fill(form(Layout::Nchw, ColourOrder::Rgb)), [0.0, 20.0, 2.0, 12.0, 3.0, 13.0]);
        assert_eq!(fill(form(Layout::Nchw, ColourOrder::Bgr)), [4.0, 24.0, 2.0, 12.0, 1.0, 11.0]);
        assert_eq!(fill(form(Layout::Nhwc, ColourOrder::Rgb)), [0.0, 2.0, 3.0, 20.0, 12.0, 13.0]);
        assert_eq!(fill(form(Layout::Nhwc, ColourOrder::Bgr)), [4.0, 2.0, 1.0, 24.0, 12.0, 11.0]);
        let mut mirrored = [0.0; 6];
        form(Layout::Nchw, ColourOrder::Rgb).write_mirrored(&rgb, &mut mirrored);
        assert_eq!(mirrored, [20.0, 0.0, 12.0, 2.0, 13.0, 3.0]);
    }
}
