# Balanced GAN on a CPU server. Build it once, then train from the folder that holds the pictures:
#
#   docker build -t balanced-gan .
#   docker run --rm -it -v "$PWD:/work" balanced-gan --path faces/
#
# runs/ and images/ appear in that folder. If your user id is not 1000 (`id -u`), add
# --user "$(id -u):$(id -g)", so that the files are yours. Ctrl-C saves and stops.
FROM python:3.12-slim

# A layer of its own: it stays when only the program changes.
COPY requirements.txt /source/
RUN pip install --no-cache-dir --root-user-action ignore -r /source/requirements.txt
COPY . /source/
RUN pip install --no-cache-dir --root-user-action ignore --no-deps /source

# Keras and Matplotlib write to the home folder, and --user may name an id that has none.
ENV HOME=/tmp
RUN useradd --uid 1000 --no-create-home trainer && install -d -o trainer /work
USER 1000
WORKDIR /work
VOLUME /work

ENTRYPOINT ["balanced-gan"]
