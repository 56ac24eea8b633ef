"""The ESP32-S3. `tools/boards.py` explains each line.

Sources: ESP32-S3 Series Datasheet (pins, strapping pins, power-up glitches); ESP-IDF programming guide for the
ESP32-S3, "GPIO & RTC GPIO" (SPI0/1 on 26 to 32, with octal flash or PSRAM on 33 to 37 as well) and "Analog to Digital
Converter" (0 to 3100 mV); MicroPython's `ports/esp32/machine_pin.h`; ESP32-S3-DevKitC-1 user guide: its RGB LED is a
WS2812, on GPIO 48 of version 1.0 and on 38 of version 1.1. Nothing here was measured.
"""

PROFILE = """
name ESP32-S3
outputs 0..18|21|38..42|45..48
input_only
analog 1..10
adc_max_mv 3050
strapping 0|3|45|46
leds
pins 0..18|21|33..48
flash 27..32
psram 26|33..37
usb 19|20
console 43|44
adc2 11..20
adc_linear_mv 150..3100
adc_reads_mv 0..3100
pulled_up 0|39
pulled_down 45|46
glitching 18
pwm 8 4
offset 0x0
image ESP32_GENERIC_S3
memory unmeasured
example pump=16 heater=17 room=1 daylight=2 button=15 led=21:high
kit esp32-s3-devkitc-1 led=ws2812:48 * TX=43 RX=44
"""
