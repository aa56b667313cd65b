import cv2
import numpy as np
import pytest
from conftest import REAL_PICTURES, TINY
from PIL import Image

from balanced_gan.data.face_crop import cut_faces
from balanced_gan.data.folder import load_folder, read_picture
from balanced_gan.settings import Settings


@pytest.fixture(scope="module")
def portraits():
    if not REAL_PICTURES.is_dir():
        pytest.skip("the real pictures beside the project are not here")
    files = sorted((REAL_PICTURES / "congress_400").glob("*.jpg"))[:12]
    return [cv2.imread(str(file)) for file in files]


def snapshot(portraits, places, angle=0.0, size=(900, 1200)):
    """Portraits on a smooth background, turned about their middles, at (x, y, scale)."""
    random = np.random.default_rng(0)
    coarse = random.integers(90, 170, (6, 8, 3), np.uint8)
    canvas = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    for portrait, (x, y, scale) in zip(portraits, places, strict=True):
        height, width = portrait.shape[:2]
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
        turn[:, 2] += np.array([x - width / 2, y - height / 2])
        mask = cv2.warpAffine(np.full((height, width), 255, np.uint8), turn, size[::-1])
        turned = cv2.warpAffine(portrait, turn, size[::-1])
        canvas = np.where(mask[..., None] > 128, turned, canvas)
    return canvas


def eyes_tilt(face):
    """Degrees between the two eyes of a square face, or None."""
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_eye.xml")
    grey = cv2.cvtColor(cv2.resize(face, (256, 256)), cv2.COLOR_BGR2GRAY)
    eyes = cascade.detectMultiScale(grey[:160], 1.05, 6, minSize=(25, 25))
    if len(eyes) != 2:
        return None
    (x1, y1), (x2, y2) = sorted((x + w / 2, y + h / 2) for x, y, w, h in eyes)
    return np.degrees(np.arctan2(y2 - y1, x2 - x1))


def test_a_face_is_cut_out_wherever_it_is(portraits):
    found = [
        cut_faces(snapshot([portrait], [(300 + 50 * i, 400, 0.8)]), 64, 0.3, 0.05, 1)
        for i, portrait in enumerate(portraits)
    ]
    assert sum(len(faces) == 1 for faces in found) >= 11
    assert all(face.shape == (64, 64, 3) for faces in found for face in faces)


def test_several_faces_the_largest_first_and_no_more_than_asked_for(portraits):
    picture = snapshot(portraits[:3], [(200, 450, 0.7), (550, 450, 1.2), (950, 450, 0.9)])
    faces = cut_faces(picture, 64, 0.3, 0.05, 9)
    assert len(faces) == 3
    (largest,) = cut_faces(picture, 64, 0.3, 0.05, 1)
    np.testing.assert_array_equal(faces[0], largest)
    alone = cut_faces(snapshot(portraits[1:2], [(550, 450, 1.2)]), 64, 0.3, 0.05, 1)[0]
    assert abs(largest.astype(int) - alone).mean() < 12
    assert len(cut_faces(picture, 64, 0.3, 0.16, 9)) < 3  # too small to count


def test_tilted_heads_are_set_upright(portraits):
    tilts = []
    for portrait in portraits:
        for face in cut_faces(snapshot([portrait], [(600, 450, 1.5)], 15), 128, 0.3, 0.05, 1):
            tilts.append(eyes_tilt(face))
    tilts = [abs(tilt) for tilt in tilts if tilt is not None]
    assert len(tilts) >= 4 and np.median(tilts) < 7  # of 15


def test_margin_keeps_more_around(portraits):
    picture = snapshot(portraits[:1], [(600, 450, 1.2)])
    near, far = (cut_faces(picture, 96, margin, 0.05, 1)[0] for margin in (0.0, 1.0))
    inner = cv2.resize(far[32:64, 32:64], (96, 96))
    assert abs(inner.astype(int) - near).mean() < 20


def test_a_close_up_is_averaged(monkeypatch):
    found = [((600.0, 600.0), 600.0, 10.0)]
    monkeypatch.setattr("balanced_gan.data.face_crop.find_faces", lambda *args: found)
    noise = np.random.default_rng(0).choice(np.uint8([0, 255]), (1200, 1200, 1)).repeat(3, 2)
    (face,) = cut_faces(noise, 64, 0.3, 0.05, 1)
    assert face.std() < 15  # 127 / 15, since each pixel stands for 15 x 15; 30 with aliasing


def test_no_face_no_picture():
    assert cut_faces(snapshot([], []), 64, 0.3, 0.05, 3) == []
    assert cut_faces(np.zeros((3, 5, 3), np.uint8), 64, 0.3, 0.05, 3) == []


def test_a_line_of_pixels_is_skipped(tmp_path):
    cv2.imwrite(str(tmp_path / "line.png"), np.zeros((1, 1300, 3), np.uint8))
    assert read_picture(tmp_path / "line.png", Settings(crop="face")) == "too thin"


def test_from_the_command_line(train_py, workplace, portraits):
    folder = workplace / "snaps"
    folder.mkdir()
    cv2.imwrite(str(folder / "two.jpg"), snapshot(portraits[:2], [(300, 450, 1.2), (850, 450, 1)]))
    cv2.imwrite(str(folder / "none.png"), snapshot([], []))
    command = ["--path", folder, "--crop", "face", *TINY, "--faces_per_picture", 2]
    code, out, _ = train_py(*command, "--dry_run")
    assert code == 0 and "Pictures: 2" in out and "none.png (no face found)" in out
    assert [path.name for path in (workplace / "images").iterdir()] == ["faces_found.png"]
    assert not (workplace / "runs").exists()
    settings = Settings(image_size=32, channels=1, crop="face", faces_per_picture=2, max_images=1)
    pictures, _ = load_folder(folder, settings)
    assert pictures.shape == (1, 32, 32, 1)
    assert Image.open(workplace / "images" / "faces_found.png").size[1] == 32
